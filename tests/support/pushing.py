"""PBXs that push their records over HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from support.daemon import DaemonProcess
from support.waiting import DEADLINE, wait_until


@dataclass
class Pusher:
    """A program with a token, that posts to a daemon."""

    daemon: DaemonProcess
    token: str

    def post(
        self, source: str, body: bytes, *, query: str = "", **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, answer and headers. Underscores in names of headers are dashes."""
        request = Request(  # noqa: S310 - our own daemon on loopback
            f"{self.daemon.url}/push/{source}{query}",
            data=body,
            headers={
                **({"Authorization": f"Bearer {self.token}"} if self.token else {}),
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urlopen(request, timeout=DEADLINE) as response:  # noqa: S310 - as above
                return response.status, json.load(response), dict(response.headers)
        except HTTPError as error:
            with error:
                return error.code, json.load(error), dict(error.headers)


def pusher(daemon: DaemonProcess, login: str, *sources: str) -> Pusher:
    """Makes the user and its token."""
    pushes = [word for source in sources for word in ("--push", source)]
    daemon.command("user", "add", login, "--no-password", *pushes)
    return Pusher(daemon, daemon.command("token", "create", login, "--quiet").strip())


def until_answered(pushing: Pusher, source: str, body: bytes) -> dict[str, Any]:
    """Sends the same again until it is told that it is stored, as the documentation says."""

    def answer() -> dict[str, Any] | None:
        try:
            status, said, headers = pushing.post(source, body)
        except (OSError, HTTPException):
            return None
        assert status in {200, 503}, said
        assert status == 200 or int(headers["Retry-After"]) > 0
        return said if status == 200 else None

    found: dict[str, Any] = wait_until(answer, what="the push is answered")
    return found
