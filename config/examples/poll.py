#!/usr/bin/env python3
"""Keeps a copy of every settled call record in an SQLite file: each once, and as it was decided last.

CDRD_TOKEN=... poll.py http://127.0.0.1:8887 calls.sqlite
"""

import json
import os
import sqlite3
import sys
import time
import urllib.request

url, path = sys.argv[1:3]
copy = sqlite3.connect(path)
copy.executescript(
    "CREATE TABLE IF NOT EXISTS record (acctid INTEGER PRIMARY KEY, row TEXT);"
    "CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY, next_id INTEGER, revision INTEGER);"
    "INSERT OR IGNORE INTO place VALUES (1, 0, 0);"
)


def read(**scope: int) -> dict:
    """One page; 429 and 503 are OSErrors, as is a network that is away."""
    body = json.dumps({"type": "cdr", "scope": {"settled": True, **scope}}).encode()
    headers = {"Authorization": "Bearer " + os.environ["CDRD_TOKEN"]}
    request = urllib.request.Request(url + "/rest/call/read", body, headers)  # noqa: S310 - of cdrd
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
        return json.load(answer)


while True:
    _, next_id, revision = copy.execute("SELECT * FROM place").fetchone()
    try:
        new, changed = read(minID=next_id), read(sinceRevision=revision)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        time.sleep(5)
        continue
    rows = new["values"] + changed["values"]  # in this order: what changed was read later
    after = new["values"][-1]["acctid"] + 1 if new["values"] else next_id
    with copy:  # what was read, and from where to go on: both or neither
        copy.executemany(
            "INSERT OR REPLACE INTO record VALUES (?, ?)",
            [(row["acctid"], json.dumps(row)) for row in rows],
        )
        copy.executemany(
            "DELETE FROM record WHERE acctid = ?", [(acctid,) for acctid in changed["withdrawn"]]
        )
        copy.execute("UPDATE place SET next_id = ?, revision = ?", (after, changed["revision"]))
    if not changed["more"] and len(new["values"]) < new["maxRows"]:
        time.sleep(float(os.environ.get("CDRD_PAUSE", "10")))
