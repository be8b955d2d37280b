"""A record becomes a leg: functions from bytes to values, without I/O and without a clock.

In comes a chunk of a file that begins at the start of a record; out come rows for COPY and rejected records.
Every byte of a chunk ends in a leg, in a rejected record, in an empty line, or is left because its record is
not whole yet.
Promised: a bad record never takes its neighbours with it, the fast path decides as the slow one, it makes no
difference where a file is cut into chunks, and no text inside a quoted field can pass for a record.

Read `decoders` first, then `chunks`; a kind of record is one module: `cdr_csv`, `cdr_custom`, `cdr_json`.
Events take the same walk (`cel`, `cel_json`), have lines of their own (`queue_log`) or come by a socket
(`ami`, `ami_events`). Other PBXs: `freeswitch`, `yeastar`, `grandstream`, `threecx`. Carriers: `carrier`.
"""
