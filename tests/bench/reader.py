"""A billing script: one connection that is kept, and a token."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from support.waiting import DEADLINE

PATH = "/rest/call/read"


def headers(token: str) -> dict[str, str]:
    """What every request carries."""
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def question(first: int, most: int = 500) -> str:
    """The body that asks for a page."""
    return json.dumps({"type": "cdr", "scope": {"minID": first, "maxRows": most}})


class Reader:
    """Follows minID."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=DEADLINE)
        self._headers = headers(token)
        self.next = 0

    def page(self, most: int = 500) -> list[dict[str, Any]]:
        """The rows behind those already read."""
        self._connection.request("POST", PATH, question(self.next, most), self._headers)
        answer = json.loads(self._connection.getresponse().read())
        assert answer["result"] == "success", answer
        rows: list[dict[str, Any]] = answer["values"]
        if rows:
            self.next = rows[-1]["acctid"] + 1
        return rows

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


def pages_read_in(url: str, token: str, first: int, seconds: float) -> int:
    """How many times the same page can be read in so long a time, over one connection."""
    reader = Reader(url, token)
    until, pages = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        reader.next = first
        assert reader.page()
        pages += 1
    reader.close()
    return pages
