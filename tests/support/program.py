"""A program of ours as a process of its own: its settings, its log, signals, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from support.waiting import DEADLINE, wait_until

_STARTED: list[subprocess.Popen[bytes]] = []


def end_all() -> None:
    """Ends whatever a test that failed has left running."""
    for process in _STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()


@dataclass
class Program:
    """It writes JSON to a log in a folder of its own."""

    name: ClassVar[str]

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _log_start: int = field(default=0, init=False)

    @property
    def config(self) -> Path:
        return self.folder / f"{self.name}.yaml"

    @property
    def log_path(self) -> Path:
        return self.folder / f"{self.name}.log"

    def launch(
        self, *words: str, prefix: Sequence[str] = (), environment: dict[str, str] | None = None
    ) -> None:
        """Runs `cdrd` with these words, without waiting for anything."""
        with self.log_path.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "cdrd", *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        _STARTED.append(self.process)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of that name which this run has logged; a line that is not whole yet is none."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            *lines, _ = log.read().split(b"\n")
        found = [json.loads(line) for line in lines if line.startswith(b"{")]
        return [event for event in found if event["event"] == name]

    def wait_for(self, name: str) -> dict[str, Any]:
        """The first event of that name, once it is logged."""

        def said() -> list[dict[str, Any]]:
            found = self.events(name)
            assert found or self.is_running(), self.log_path.read_text()[-4000:]
            return found

        event: dict[str, Any] = wait_until(said, what=name)[0]
        return event

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9, where it runs: no chance to say goodbye."""
        if self.process is not None and self.is_running():
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None:
            return 0
        if self.is_running():
            self.process.terminate()
        return self.process.wait(timeout=DEADLINE)
