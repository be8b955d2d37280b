"""A record becomes a leg: functions from bytes to values, without I/O and without a clock.

In comes a chunk of a file that begins at the start of a record; out come rows for COPY and rejected records.
Every byte of a chunk ends in a leg, in a rejected record, or is left because its record is not whole yet.
Promised: a bad record never takes its neighbours with it, and the fast path decides as the slow one.
"""
