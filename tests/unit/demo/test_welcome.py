"""What the demo prints can be pasted into a shell."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from cdrd.demo.welcome import Welcome, shown

WELCOME = Welcome(
    program=".venv/bin/cdrd",
    url="http://127.0.0.1:8887",
    token="abc",
    token_file=Path("/data/token"),
    settings=Path("/data/cdrd.yaml"),
    companies=Path("/data/companies.yaml"),
    followed="/data/demo/Master.csv",
    zone="Europe/London",
    simulated=True,
)


def test_a_simulated_pbx_says_first_that_it_is_one() -> None:
    assert WELCOME.text().strip().startswith("DEMO: a simulated PBX")


def test_the_users_own_file_is_no_demo() -> None:
    text = replace(WELCOME, simulated=False, followed="/pbx/Master.csv").text()

    assert "simulated" not in text
    assert "/pbx/Master.csv" in text


def test_the_curl_line_is_one_line_that_begins_with_curl() -> None:
    (line,) = [line for line in WELCOME.text().splitlines() if line.startswith("curl ")]

    assert shlex.split(line)[:4] == ["curl", "-s", "-H", "Authorization: Bearer abc"]


def test_what_to_try_can_be_pasted_from_a_folder_with_a_space() -> None:
    text = replace(WELCOME, settings=Path("/my data/cdrd.yaml")).text()

    (line,) = [line for line in text.splitlines() if " explain " in line]
    words = shlex.split(line, comments=True)
    assert words == [".venv/bin/cdrd", "-c", "/my data/cdrd.yaml", "explain", "1"]


def test_paths_below_the_current_folder_are_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert shown(tmp_path / "var" / "cdrd.yaml") == "var/cdrd.yaml"
    assert shown("/elsewhere/cdrd.yaml") == "/elsewhere/cdrd.yaml"
