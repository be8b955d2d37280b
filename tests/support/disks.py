"""A file system so small that it can be filled, and whatever is needed to fill it and to make room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size in the folder; the test is skipped where nobody may mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path, leave: int = 0) -> None:
    """Writes to the ballast until its file system is full, then gives so many bytes back."""
    with ballast.open("ab", buffering=0) as file:
        for piece in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(piece))
            except OSError:  # ENOSPC: that is what was wanted
                continue
        file.truncate(max(0, os.fstat(file.fileno()).st_size - leave))


def make_room(ballast: Path) -> None:
    """Gives everything back."""
    ballast.unlink()
