#!/usr/bin/env python3
"""Keeps a copy of every settled call record in an SQLite file: each once, and as it was decided last.

CDRD_TOKEN=... poll.py http://127.0.0.1:8887 calls.sqlite
"""

import json
import os
import sqlite3
import sys
import time
from http.client import HTTPException
from urllib.request import Request, urlopen

url, path = sys.argv[1] + "/rest/call/read", sys.argv[2]
headers = {"Authorization": "Bearer " + os.environ["CDRD_TOKEN"]}
pause = float(os.environ.get("CDRD_PAUSE", "10"))
start = json.dumps({"scope": {"settled": True, "minID": 1, "sinceRevision": 0}})
copy = sqlite3.connect(path)
copy.execute("CREATE TABLE IF NOT EXISTS record (acctid INTEGER PRIMARY KEY, row TEXT)")
copy.execute("CREATE TABLE IF NOT EXISTS place (one INTEGER PRIMARY KEY, question TEXT)")
while True:
    (question,) = copy.execute("SELECT question FROM place").fetchone() or (start,)
    try:
        with urlopen(Request(url, question.encode(), headers), timeout=60) as answer:  # noqa: S310 - of cdrd
            page = json.load(answer)
    except (OSError, HTTPException) as problem:  # nobody answers, it breaks off, or says: retry
        print(problem, file=sys.stderr)  # noqa: T201 - its log
        time.sleep(pause)
        continue
    with copy:  # what was read, and from where to go on: both or neither
        for row in page["values"]:
            copy.execute("REPLACE INTO record VALUES (?, ?)", (row["acctid"], json.dumps(row)))
        for acctid in page["withdrawn"]:
            copy.execute("DELETE FROM record WHERE acctid = ?", (acctid,))
        copy.execute("REPLACE INTO place VALUES (1, ?)", (json.dumps({"scope": page["next"]}),))
    if not page["more"]:
        time.sleep(pause)
