"""A record leaves the PBX exactly once.

In come the files of the configured sources, here or on a PBX elsewhere that forwards them, as they are
written, rotated, truncated and compressed; and what PBXs push and say.
Out go batches of decoded legs, each committed together with the new position of its file.
Promised: whatever happens to the file, the daemon or the database, the legs stored are the records
written; what can't be decoded is in suspense, and what can't be known to have existed is reported.
"""
