"""A small two-company PBX that exists only as a Master.csv, for whoever has no PBX at hand.

In come the stories of calls that a real Asterisk once handled; out go their records, with new times and
numbers, appended to a file one by one in Asterisk's own bytes.
Promised: it writes to no file but its own, and stopping and starting it again never repeats a uniqueid.
"""
