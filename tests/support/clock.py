"""A system clock that a test steps while programs run: theirs alone, by a library that is loaded before."""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("clock.c")


class SteppedClock:
    """What programs with this environment take for the time."""

    def __init__(self, folder: Path, shared: mmap.mmap) -> None:
        self._shared = shared
        self.environment = {
            "LD_PRELOAD": str(folder / "clock.so"),
            "CLOCK_WRONG_BY": str(folder / "wrong_by"),
        }

    def step(self, seconds: int) -> None:
        """It is wrong by so much from now on."""
        self._shared[:8] = struct.pack("l", seconds)


@contextmanager
def stepped_clock(folder: Path) -> Iterator[SteppedClock]:
    """A clock, right until it is stepped; the test is skipped where nothing can compile it."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", _SOURCE, "-ldl"],
        check=True,
    )
    (folder / "clock.so").chmod(0o755)
    (folder / "wrong_by").write_bytes(bytes(8))
    with (folder / "wrong_by").open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
        yield SteppedClock(folder, shared)
