"""How long it takes from a record's append until a poller has it, under a steady load."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.conftest import Daemons, new_token
from bench.figures import Figures
from bench.reader import Reader
from support.pbx import Pbx, number_of
from support.waiting import DEADLINE

RATE = 1000
SECONDS = 20
PAUSE = 0.005
"""Between two questions of the poller; part of what is measured."""


def test_append_to_readable(daemons: Daemons, dsn: str, tmp_path: Path, figures: Figures) -> None:
    count = RATE * SECONDS
    Pbx(tmp_path / "Master.csv").append()
    daemon = daemons.start(dsn, tmp_path)
    reader = Reader(daemon.url, new_token(daemon))
    received: dict[int, int] = {}
    times = tmp_path / "times"
    script = Path(__file__).parent / "writer.py"
    command = [script, tmp_path / "Master.csv", 1, count, RATE, times]
    with subprocess.Popen([sys.executable, *map(str, command)]) as writer:
        deadline = time.monotonic() + SECONDS + DEADLINE
        while len(received) <= count:
            assert time.monotonic() < deadline, f"{len(received)} of {count} records are readable"
            rows = reader.page(most=5000)
            now = time.monotonic_ns()
            received |= {number_of(row["uniqueid"]): now for row in rows}
            time.sleep(PAUSE)  # as every poller
        assert writer.wait(timeout=DEADLINE) == 0
    reader.close()

    assert sorted(received) == list(range(count + 1))
    written = [int(line) for line in times.read_text().splitlines()]
    waits = sorted(
        (received[number] - before) / 1e6 for number, before in enumerate(written, start=1)
    )
    rate = count / (written[-1] - written[0]) * 1e9
    figures.add(
        f"append → readable over HTTP, at {rate:,.0f} legs/s for {SECONDS} s (milliseconds)",
        ours=f"p50 {waits[count // 2]:.0f}, p99 {waits[count * 99 // 100]:.0f}, max {waits[-1]:.0f}",
        goal="p99 ≤ 250",
    )
