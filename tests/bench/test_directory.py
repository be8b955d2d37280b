"""A directory of 10,000 companies and 1,000,000 numbers: checked, applied, taken up, asked."""

from __future__ import annotations

import csv
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import psutil
from bench.conftest import Daemons, new_token
from bench.figures import Figures
from bench.programs import seconds_of
from bench.reader import Reader
from support.daemon import DaemonProcess
from support.pbx import number_of
from support.waiting import DEADLINE, wait_until

from cdrd.enrich.companies import load_companies
from cdrd.enrich.directory import Directory

COMPANIES, NUMBERS = 10_000, 1_000_000
RATE, SECONDS = 200, 10
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LOOK_UPS = 50_000


def write_directory(folder: Path, *, share: int = 1) -> Path:
    """The companies in YAML; extensions, which all have alike, and numbers in CSV. Or a share of them."""
    names = [f"company{number}" for number in range(COMPANIES // share)]
    listed = "".join(
        f'  {name}: {{name: "{name} Ltd", contexts: ["{name}-*"], endpoints: ["PJSIP/{name}-{{ext}}"]}}\n'
        for name in names
    )
    path = folder / "many.yaml"
    path.write_text(
        'dialling: {country_code: "44", national_prefix: "0"}\nimport: numbers.csv\ncompanies:\n'
        "  acme: {endpoints: ['PJSIP/acme-{ext}']}\n" + listed
    )
    write_numbers(folder, share=share)
    return path


def write_numbers(folder: Path, *, moved: int = 0, share: int = 1) -> None:
    """The last of each company's numbers belongs to the next one, for the first `moved` of them."""
    each = NUMBERS // COMPANIES // 2
    with (folder / "numbers.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("company", "kind", "value", "until", "extension"))
        for number in range(COMPANIES // share):
            for n in range(each):
                last = n == each - 1 and number < moved
                owner = f"company{number + last}"
                until = "2030-01-01" if n % 10 == 0 else ""
                lines.writerow((owner, "did", f"0{2_000_000_000 + number * each + n}", until, n))
            lines.writerows(
                (f"company{number}", "extension", 1000 + n, "", "") for n in range(each)
            )


def waits(reader: Reader, master: Path, *, seconds: int) -> list[tuple[float, float]]:
    """Legs at an even rate for so long: when each was written (by the wall), and seconds until readable."""
    times, count = master.with_name("times"), RATE * seconds
    script = Path(__file__).parent / "writer.py"
    received: dict[int, int] = {}
    arguments = map(str, (script, master, count, RATE, times))
    with subprocess.Popen([sys.executable, *arguments]) as writer:
        while len(received) < count:
            rows = reader.page(most=5000)
            now = time.monotonic_ns()
            received |= {number_of(row["uniqueid"]): now for row in rows}
            time.sleep(0.005)  # as every poller
        assert writer.wait(timeout=DEADLINE) == 0
    wall = time.time() - time.monotonic()
    written = [int(line) / 1e9 for line in times.read_text().splitlines()]
    return [(wall + at, received[n] / 1e9 - at) for n, at in enumerate(written, start=1)]


def milliseconds(waits: Iterable[float]) -> str:
    told = sorted(1000 * wait for wait in waits)
    count = len(told)
    return f"p50 {told[count // 2]:.0f}, p99 {told[count * 99 // 100]:.0f}, max {told[-1]:.0f} ms"


def seconds_of_process(start: Callable[[], subprocess.Popen[bytes]]) -> tuple[float, float]:
    """How long it takes, and how much of that it computes, which means the same on a busy machine."""
    before = os.times()
    seconds = seconds_of(lambda: start().wait())
    after = os.times()
    children = after.children_user + after.children_system
    return seconds, children - before.children_user - before.children_system


def loaded_at(daemon: DaemonProcess, version: int) -> float:
    """When the daemon had taken up a version."""

    def told() -> list[float]:
        return [
            datetime.fromisoformat(event["timestamp"]).timestamp()
            for event in daemon.events("directory_loaded")
            if event["version"] == version
        ]

    return float(wait_until(told, what="the directory is in use")[0])


def test_a_large_directory(daemons: Daemons, dsn: str, tmp_path: Path, figures: Figures) -> None:
    path, master = write_directory(tmp_path), tmp_path / "Master.csv"
    daemon = daemons.start(dsn, tmp_path, companies=None)
    reader = Reader(daemon.url, new_token(daemon))
    process = psutil.Process(daemon.pid)

    def cdrd(*words: str) -> subprocess.Popen[bytes]:
        words = (sys.executable, "-m", "cdrd", "-c", str(daemon.config), *words, str(path))
        return subprocess.Popen(words, stdout=subprocess.DEVNULL)

    what = f"directory of {COMPANIES:,} companies and {NUMBERS:,} numbers and extensions"
    seconds, cpu = seconds_of_process(lambda: cdrd("directory", "check"))
    figures.add(f"{what}: check", ours=f"{seconds:.1f} s, {cpu:.1f} s of CPU", goal="≤ 30 s")

    before = process.memory_info().rss
    seconds, cpu = seconds_of_process(lambda: cdrd("directory", "apply", "--yes"))
    loaded_at(daemon, 1)
    grown = (process.memory_info().rss - before) >> 20
    figures.add("… applied for the first time", ours=f"{seconds:.1f} s, {cpu:.1f} s of CPU")
    figures.add("… memory of the daemon that took it up", ours=f"+{grown} MiB")

    quiet = waits(reader, master, seconds=SECONDS)
    write_numbers(tmp_path, moved=100)
    began = time.time()
    with cdrd("directory", "apply", "--yes") as applying:
        busy = waits(reader, master, seconds=int(3 * seconds))
        assert applying.wait(timeout=DEADLINE) == 0
    ended = loaded_at(daemon, 2)
    reader.close()
    figures.add(
        "… 100 numbers moved: from `apply` until the daemon decides by it",
        ours=f"{ended - began:.1f} s",
    )
    figures.add(
        f"… append → readable at {RATE} legs/s meanwhile, and while nothing else is done",
        ours=milliseconds(wait for at, wait in busy if at < ended),
        other=milliseconds(wait for _, wait in quiet),
        goal="p99 ≤ 250",
    )
    grown = (process.memory_info().rss - before) >> 20
    figures.add("… memory after that", ours=f"+{grown} MiB")


def test_look_ups(tmp_path: Path, figures: Figures) -> None:
    """Of numbers that nobody has asked for before, in a small directory and in a large one."""
    figures.add(
        "look-up of a number in a large directory and in one of a hundredth (first time, then again)",
        ours=look_ups(tmp_path, share=1),
        other=look_ups(tmp_path, share=100),
    )


def look_ups(folder: Path, *, share: int) -> str:
    content = load_companies(write_directory(folder, share=share))
    directory = Directory.compile(content.as_version(1))
    choices = random.Random(7)
    asked = [
        f"0{2_000_000_000 + choices.randrange(NUMBERS // share // 2)}" for _ in range(LOOK_UPS)
    ]
    first = seconds_of(lambda: [directory.did("hq", number, NOW) for number in asked])
    again = seconds_of(lambda: [directory.did("hq", asked[-1], NOW) for _ in asked])
    return f"{first / len(asked) * 1e9:,.0f} ns, {again / len(asked) * 1e9:,.0f} ns"
