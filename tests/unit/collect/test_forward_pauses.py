"""A forwarder that is sent away comes back later, and later each time, as it was told and not all at once."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from cdrd.collect.forward import Forwarded
from cdrd.collect.uplink import Uplink
from cdrd.forward_settings import CollectorSettings, Forward, ForwardedSettings, ForwardSettings

LONGEST = 60.0


class Sender(BaseHTTPRequestHandler):
    """Sends everybody away."""

    retry_after: ClassVar[str] = ""

    def do_POST(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "0")
        if self.retry_after:
            self.send_header("Retry-After", self.retry_after)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Sender) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Waiting:
    """A source that is forwarded to that server, by a clock that is set."""

    def __init__(self, url: str, folder: Path) -> None:
        source = ForwardedSettings(name="hq", path=str(folder / "Master.csv"))
        settings = ForwardSettings(collector=CollectorSettings(url=url), sources=(source,))
        uplink = Uplink(Forward(settings, "token"))
        self.now = 0.0
        self.forwarded = Forwarded(source, uplink, machine="pbx", watch=lambda: self.now)

    def pauses(self, count: int) -> list[float]:
        """How long it waits after each attempt, when it is asked the moment that it wants to be."""
        found = []
        for _ in range(count):
            wakes_at = self.forwarded.turn(LONGEST, 4096)
            found.append(wakes_at - self.now)
            self.now = wakes_at
        return found


def test_it_waits_longer_each_time_up_to_the_longest_pause(url: str, tmp_path: Path) -> None:
    pauses = Waiting(url, tmp_path).pauses(14)

    assert pauses[0] < 1
    assert all(later > earlier * 0.99 for earlier, later in pairwise(pauses[:8]))
    assert all(LONGEST / 2 <= pause <= LONGEST for pause in pauses[-4:])


def test_two_forwarders_do_not_come_back_together(url: str, tmp_path: Path) -> None:
    assert Waiting(url, tmp_path).pauses(8) != Waiting(url, tmp_path).pauses(8)


def test_it_does_not_come_back_before_it_was_told_to(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sender, "retry_after", "120")
    waiting = Waiting(url, tmp_path)

    assert all(pause >= 120 for pause in waiting.pauses(3))
    before = waiting.now
    waiting.now -= 1
    assert waiting.forwarded.turn(LONGEST, 4096) == before
