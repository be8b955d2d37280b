"""A directory of 10,000 companies and 1,000,000 numbers: checked, taken up while legs come, asked."""

from __future__ import annotations

import csv
import gc
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.conftest import Daemons, new_token
from bench.figures import Figures
from bench.programs import forget_peak, peak_mib, seconds_of
from bench.reader import Reader
from support.daemon import DaemonProcess
from support.pbx import number_of
from support.waiting import DEADLINE, wait_until

from cdrd.enrich.companies import load_companies
from cdrd.enrich.directory import Directory

COMPANIES, NUMBERS = 10_000, 1_000_000
RATE, SECONDS = 200, 10
AT_ONCE = 3
"""Seconds of legs between two looks at how far the daemon is."""
NOW = datetime(2026, 11, 21, tzinfo=UTC)
LOOK_UPS = 5_000


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


def write_numbers(folder: Path, *, moved: int = 0, renumbered: int = 0, share: int = 1) -> None:
    """The last of each company's numbers belongs to the next one, for the first `moved` of them.

    Renumbered, every number leads to another extension, and every extension is another one.
    """
    each = NUMBERS // COMPANIES // 2
    with (folder / "numbers.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("company", "kind", "value", "until", "extension"))
        for number in range(COMPANIES // share):
            for n in range(each):
                last = n == each - 1 and number < moved
                owner = f"company{number + last}"
                until = "2030-01-01" if n % 10 == 0 else ""
                value = f"0{2_000_000_000 + number * each + n}"
                lines.writerow((owner, "did", value, until, renumbered + n))
            lines.writerows(
                (f"company{number}", "extension", 1000 + renumbered + n, "", "")
                for n in range(each)
            )


def waits(reader: Reader, master: Path, *, seconds: int) -> list[tuple[float, float]]:
    """Legs at an even rate for so long: when each was written (by the wall), and seconds until readable."""
    times, count, first = master.with_name("times"), RATE * seconds, reader.next + 1
    script = Path(__file__).parent / "writer.py"
    received: dict[int, int] = {}
    arguments = map(str, (script, master, first, count, RATE, times))
    with subprocess.Popen([sys.executable, *arguments]) as writer:
        while len(received) < count:
            rows = reader.page(most=5000)
            now = time.monotonic_ns()
            received |= {number_of(row["uniqueid"]): now for row in rows}
            time.sleep(0.005)  # as every poller
        assert writer.wait(timeout=DEADLINE) == 0
    wall = time.time() - time.monotonic()
    written = [int(line) / 1e9 for line in times.read_text().splitlines()]
    return [(wall + at, received[n] / 1e9 - at) for n, at in enumerate(written, first)]


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


def told_at(daemon: DaemonProcess, event: str, version: int) -> float | None:
    """When the daemon told that of a version."""
    for told in daemon.events(event):
        if told["version"] == version:
            return datetime.fromisoformat(told["timestamp"]).timestamp()
    return None


def loaded_at(daemon: DaemonProcess, version: int) -> float:
    """When the daemon had taken up a version; waits for it."""

    def loaded() -> float | None:
        return told_at(daemon, "directory_loaded", version)

    return float(wait_until(loaded, what="the directory is in use"))


@dataclass
class TakenUp:
    """Another version was applied and taken up at SIGHUP, while legs came."""

    seconds: float
    """From SIGHUP until the daemon decides by it."""
    applying: list[float]
    """What legs waited, in seconds, while the file was read and compared, ..."""
    taking_up: list[float]
    """... and from when the version was in force until a second after it was in use."""
    peak: float
    """MiB of the daemon at most, meanwhile."""


def take_up(daemon: DaemonProcess, reader: Reader, version: int) -> TakenUp:
    """Applies what the file says now; ends when the daemon decides by it."""
    forget_peak(daemon)
    found: list[tuple[float, float]] = []
    began = time.time()
    daemon.send(signal.SIGHUP)
    deadline = time.monotonic() + 2 * DEADLINE
    while told_at(daemon, "directory_loaded", version) is None:
        assert time.monotonic() < deadline, "the directory is not in use"
        found += waits(reader, daemon.folder / "Master.csv", seconds=AT_ONCE)
    found += waits(reader, daemon.folder / "Master.csv", seconds=AT_ONCE)
    applied, ended = told_at(daemon, "directory_applied", version), loaded_at(daemon, version)
    assert applied is not None
    return TakenUp(
        ended - began,
        [wait for at, wait in found if at < applied],
        [wait for at, wait in found if applied <= at < ended + 1],
        peak_mib(daemon),
    )


def test_a_large_directory(daemons: Daemons, dsn: str, tmp_path: Path, figures: Figures) -> None:
    path, master = write_directory(tmp_path), tmp_path / "Master.csv"
    command = (sys.executable, "-m", "cdrd", "directory", "check", str(path))
    seconds, cpu = seconds_of_process(lambda: subprocess.Popen(command, stdout=subprocess.DEVNULL))
    what = f"directory of {COMPANIES:,} companies and {NUMBERS:,} numbers and extensions"
    figures.add(f"{what}: check", ours=f"{seconds:.1f} s, {cpu:.1f} s of CPU", goal="≤ 30 s")

    for times in ("first", "second"):
        began = time.time()
        daemon = daemons.start(dsn, tmp_path, companies=path)
        ready = time.time() - began
        seconds = loaded_at(daemon, 1) - began
        figures.add(
            f"… {times} start of a daemon: until it is ready, until it decides by it",
            ours=f"{ready:.1f} s, {seconds:.1f} s; at most {peak_mib(daemon):.0f} MiB",
        )
        if times == "first":
            daemons.stop()

    reader = Reader(daemon.url, new_token(daemon))
    quiet = milliseconds(wait for _, wait in waits(reader, master, seconds=SECONDS))
    changes = {
        "100 numbers moved": {"moved": 100},
        "all renumbered": {"moved": 100, "renumbered": 1000},
    }
    for version, (changed, numbers) in enumerate(changes.items(), start=2):
        write_numbers(tmp_path, **numbers)
        taken_up = take_up(daemon, reader, version)
        figures.add(
            f"… {changed}: from SIGHUP until the daemon decides by it",
            ours=f"{taken_up.seconds:.1f} s; at most {taken_up.peak:.0f} MiB",
        )
        for phase, waited in (
            ("the file is read and compared", taken_up.applying),
            ("the daemon takes it up", taken_up.taking_up),
        ):
            figures.add(
                f"… append → readable at {RATE} legs/s while {phase}, and while nothing is done",
                ours=milliseconds(waited),
                other=quiet,
                goal="p99 ≤ 250",
            )
    reader.close()


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
    gc.freeze()  # as a daemon does
    numbers = random.Random(7).sample(range(NUMBERS // share // 2), LOOK_UPS)
    asked = [f"0{2_000_000_000 + number}" for number in numbers]
    first = seconds_of(lambda: [directory.on("hq").did(number, NOW) for number in asked])
    again = seconds_of(lambda: [directory.on("hq").did(asked[-1], NOW) for _ in asked])
    return f"{first / len(asked) * 1e9:,.0f} ns, {again / len(asked) * 1e9:,.0f} ns"
