"""The units are such that systemd takes them as they are, and let a taken-over cdrd do little."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from cdrd.cli import cli
from cdrd.errors import ExitCode

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = (FOLDER / "cdrd.service", FOLDER / "cdrd-forward.service")
CREDENTIALS = {"cdrd.service": "dsn", "cdrd-forward.service": "token"}
"""What each unit is handed, by the name that its settings look for."""
_PROGRAM = "/opt/cdrd/bin/cdrd"
_FIRST_HARDENING = "NoNewPrivileges"


def tool(name: str) -> str:
    """A program of systemd's; the test is left out on a machine that has none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} here")
    return path


def directives(unit: Path) -> list[tuple[str, str, str]]:
    """Name, value and the line before it, of each directive of the service section."""
    lines = unit.read_text(encoding="utf-8").partition("[Service]\n")[2].splitlines()
    pairs = zip(["", *lines], lines, strict=False)
    return [
        (name, value, before)
        for before, line in pairs
        for name, sign, value in [line.partition("=")]
        if sign and not line.startswith(("#", "WantedBy"))
    ]


@pytest.fixture(params=UNITS, ids=lambda path: path.name)
def unit(request: pytest.FixtureRequest) -> Path:
    """Each of them."""
    path: Path = request.param
    return path


@pytest.fixture
def installed(tmp_path: Path, unit: Path) -> Path:
    """The unit with a program that is there; systemd-analyze looks for it."""
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text(encoding="utf-8").replace(_PROGRAM, "/bin/true"))
    return copy


def test_systemd_finds_nothing_wrong_with_the_unit(installed: Path) -> None:
    done = subprocess.run(
        [tool("systemd-analyze"), "verify", "--man=no", installed],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_exposure_of_the_unit_is_two_at_most(installed: Path) -> None:
    done = subprocess.run(
        [tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", installed],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "Overall exposure level" in done.stdout


def test_every_hardening_line_says_what_it_denies(unit: Path) -> None:
    names = [name for name, _, _ in directives(unit)]
    hardening = directives(unit)[names.index(_FIRST_HARDENING) :]

    assert len(hardening) > 20
    assert [name for name, _, before in hardening if not before.startswith("# ")] == []


def test_wrong_settings_are_not_started_again(unit: Path) -> None:
    values = {name: value for name, value, _ in directives(unit)}

    assert values["RestartPreventExitStatus"] == str(int(ExitCode.CONFIG))
    assert values["Restart"] == "on-failure"


def test_the_secret_is_a_credential_of_the_name_that_the_settings_look_for(unit: Path) -> None:
    name = CREDENTIALS[unit.name]

    assert ("LoadCredential", f"{name}:/etc/cdrd/{name}") in [
        (directive, value) for directive, value, _ in directives(unit)
    ]


def test_the_command_of_the_unit_exists(unit: Path) -> None:
    [command] = [value for name, value, _ in directives(unit) if name == "ExecStart"]
    words = [word for word in command.split()[1:] if not word.startswith(("-", "/"))]

    assert [cli.get_command(click.Context(cli), word) for word in words].count(None) == 0


def test_the_user_and_the_groups_of_the_unit_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()

    subprocess.run(
        [tool("systemd-sysusers"), f"--root={tmp_path}", FOLDER / "cdrd.sysusers"],
        check=True,
        capture_output=True,
    )

    groups = (tmp_path / "etc" / "group").read_text(encoding="utf-8")
    assert {"cdrd", "asterisk"} == {line.split(":")[0] for line in groups.splitlines()}
    assert "cdrd:" in (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
