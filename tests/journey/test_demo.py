"""`cdrd demo`, as a newcomer meets it: what it prints works when it is pasted, and it goes on later."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.waiting import DEADLINE, wait_until

from cdrd.errors import ExitCode

CDRD = Path(sys.executable).with_name("cdrd")
CAPTURED = Path(__file__).parents[1] / "captures" / "main" / "cdr-csv" / "Master.csv"


@dataclass
class Demo:
    """`cdrd demo` in a folder of its own."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    output: Path = field(init=False)
    rows_seen: list[dict[str, Any]] = field(default_factory=list)

    def start(self) -> str:
        """Starts it and waits until it has told what to paste; returns what it told."""
        self.output = self.folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [CDRD, "demo", "--port", "0", *self.arguments],
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        told: str = wait_until(self._told, what="the demo has told what to paste")
        return told

    def _told(self) -> str:
        assert self.process is not None
        text = self.output.read_text()
        assert self.process.poll() is None, text
        return text if "Ctrl-C" in text else ""

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=DEADLINE)

    def pasted(self, words: str) -> str:
        """What the line with these words prints when it is pasted into a shell."""
        lines = self.output.read_text().splitlines()
        (line,) = [line for line in lines if words in line]
        return self._shell(line)

    def _shell(self, line: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def curl_until_rows(self) -> dict[str, Any]:
        """What the curl line prints, as soon as there are rows."""

        def page() -> dict[str, Any] | None:
            read: dict[str, Any] = json.loads(self.pasted("curl "))
            return read if read.get("values") else None

        found: dict[str, Any] = wait_until(page, what="the curl line prints rows")
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Every row, by the curl line with more of them."""
        lines = self.output.read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("curl ")]
        page = json.loads(self._shell(line.replace("maxRows=3", "maxRows=5000")))
        self.rows_seen = page.get("values", [])
        return self.rows_seen

    def has_every_record_of(self, path: Path) -> Callable[[], bool]:
        """Whether the rows are, by now, the records of a file, which may grow meanwhile."""

        def written() -> Counter[tuple[str, ...]]:
            return Counter((row[16], row[5], row[12]) for row in records(path))

        def fact() -> bool:
            before = written()
            served = Counter(
                (row["uniqueid"], row["channel"], str(row["duration"])) for row in self.rows()
            )
            return before <= served <= written()

        return fact


@pytest.fixture
def demo(passable: Path) -> Iterator[Demo]:
    """A demo that is stopped at the end, whatever happens."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl to paste into")
    demo = Demo(passable)
    yield demo
    if demo.process is not None and demo.process.poll() is None:
        demo.process.terminate()
        demo.process.wait(timeout=DEADLINE)


def records(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return list(csv.reader(file))


def legs(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What never changes of a row; a late leg may decide its call anew."""
    return [(row["acctid"], row["uniqueid"], row["channel"], row["calldate"]) for row in rows]


def refused(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of a demo that does not start."""
    done = subprocess.run(
        [CDRD, "demo", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_a_demo_works_as_told_and_goes_on_where_it_stopped(demo: Demo) -> None:
    """One test, because PostgreSQL takes seconds to be made."""
    master, token = demo.folder / "var/demo/Master.csv", demo.folder / "var/token"

    told = demo.start()

    assert "DEMO: a simulated PBX" in told
    page = demo.curl_until_rows()
    assert (page["result"], page["values"][0]["acctid"]) == ("success", 1)
    wait_until(demo.has_every_record_of(master), what="every record is a row")
    assert {row["properties"].get("company") for row in demo.rows()} >= {"acme", "globex"}
    assert "company" in demo.pasted(" explain 1 ")
    assert "demo" in demo.pasted(" status ")
    assert "globex" in demo.pasted(" directory show ")
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert demo.stop() == 0
    assert demo.output.read_text().rstrip().endswith("cdrd: stopped")

    before, first_token = legs(demo.rows_seen), token.read_text()
    demo.start()

    wait_until(lambda: len(records(master)) > len(before), what="the PBX goes on")
    wait_until(demo.has_every_record_of(master), what="every record is a row")
    assert legs(demo.rows())[: len(before)] == before
    assert token.read_text() == first_token
    identities = [(row[16], row[20]) for row in records(master)]
    assert len(set(identities)) == len(identities)
    assert demo.stop() == 0
    assert "Traceback" not in demo.output.read_text()


def test_a_file_of_ones_own_is_followed_without_a_simulator(demo: Demo) -> None:
    own = demo.folder / "pbx" / "Master.csv"
    own.parent.mkdir()
    shutil.copyfile(CAPTURED, own)
    demo.arguments = ("--cdr", str(own), "--zone", "America/New_York")

    told = demo.start()

    assert "DEMO" not in told
    wait_until(demo.has_every_record_of(own), what="every record is a row")
    first = demo.rows()[0]
    (row, *_) = records(own)
    assert (first["uniqueid"], first["channel"]) == (row[16], row[5])
    assert not (demo.folder / "var" / "demo").exists()
    assert own.read_bytes() == CAPTURED.read_bytes()
    assert demo.stop() == 0


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    code, lines = refused(tmp_path, "--cdr", "none.csv")

    assert code == ExitCode.UNAVAILABLE
    assert len(lines) == 1
    assert lines[0].startswith("cdrd: none.csv cannot be read: No such file or directory")
    assert not (tmp_path / "var").exists()


def test_a_port_that_is_taken_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, lines = refused(tmp_path, "--port", str(port))

    assert code == ExitCode.UNAVAILABLE
    assert lines[0].startswith(f"cdrd: port {port} of 127.0.0.1 cannot be used: ")
    assert "make run PORT=" in lines[0]
    assert not (tmp_path / "var" / "postgresql").exists()


def test_settings_that_follow_another_file_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.csv").touch()
    (tmp_path / "cdrd.yaml").write_text("")

    code, lines = refused(tmp_path, "--cdr", "a.csv", "--data", ".")

    assert code == ExitCode.FAILED
    assert lines[0].startswith("cdrd: cdrd.yaml does not follow a.csv. Add it there")
