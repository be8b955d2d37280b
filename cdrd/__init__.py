"""cdrd: a call-record mediation daemon for Asterisk-style PBXs."""
