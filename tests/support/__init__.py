"""What several kinds of tests need: a PBX that writes, a daemon that runs, a client that polls."""
