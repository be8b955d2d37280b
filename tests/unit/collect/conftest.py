"""What the tests of this room share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.followed import Followed

Follow = Callable[..., Followed]


@pytest.fixture
def follow(tmp_path: Path) -> Iterator[Follow]:
    """Follows Master.csv in a folder of the test's own, or what else is named."""
    started: list[Followed] = []

    def start(name: str = "Master.csv", **options: int) -> Followed:
        started.append(Followed(os.path.join(tmp_path, name), **options))  # noqa: PTH118 - a pattern
        return started[-1]

    yield start
    for followed in started:
        followed.files.close()


@pytest.fixture
def master(tmp_path: Path) -> Path:
    """Where the PBX writes."""
    return tmp_path / "Master.csv"
