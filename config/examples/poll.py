#!/usr/bin/env python3
"""Keeps a copy of every settled call record in an SQLite file: each once, and as it was decided last.

CDRD_TOKEN=... poll.py http://127.0.0.1:8887 calls.sqlite

It ends when nobody answers, or with 429 or 503. Started again (systemd: Restart=always), it goes on.
"""

import json
import os
import sqlite3
import sys
import time
from urllib.request import Request, urlopen

url, path = sys.argv[1:]
copy = sqlite3.connect(path)
copy.execute("CREATE TABLE IF NOT EXISTS record (acctid INTEGER PRIMARY KEY, row TEXT)")
copy.execute("CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY, next_id, revision)")


def read(**scope: int) -> dict:
    """One page."""
    body = json.dumps({"scope": {"settled": True, **scope}}).encode()
    headers = {"Authorization": "Bearer " + os.environ["CDRD_TOKEN"]}
    request = Request(url + "/rest/call/read", body, headers)  # noqa: S310 - of cdrd
    with urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return json.load(answer)


while True:
    _, next_id, revision = copy.execute("SELECT * FROM place").fetchone() or (1, 0, 0)
    new, changed = read(minID=next_id), read(sinceRevision=revision)
    if new["values"]:
        next_id = new["values"][-1]["acctid"] + 1
    with copy:  # what was read, and from where to go on: both or neither
        for row in new["values"] + changed["values"]:  # in this order: what changed was read later
            copy.execute("REPLACE INTO record VALUES (?, ?)", (row["acctid"], json.dumps(row)))
        for acctid in changed["withdrawn"]:
            copy.execute("DELETE FROM record WHERE acctid = ?", (acctid,))
        copy.execute("REPLACE INTO place VALUES (1, ?, ?)", (next_id, changed["revision"]))
    if not changed["more"] and len(new["values"]) < new["maxRows"]:
        time.sleep(float(os.environ.get("CDRD_PAUSE", "10")))
