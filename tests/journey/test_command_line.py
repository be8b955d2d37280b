"""The command line as it is typed: each error is one line that says what to do, with its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click
import pytest
from click.testing import CliRunner
from support.commands import told
from support.loopback import Loopback, listening

from cdrd.cli import cli

NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "cdrd.yaml"
    path.write_text(json.dumps({"database": {"dsn": NOBODY}}))
    return path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nosuch"], 2, "cdrd: No such command 'nosuch'. See `cdrd --help`.\n"),
        (["statu"], 2, "Did you mean 'status'? See `cdrd --help`.\n"),
        (["suspense", "retry", "1", "--all"], 2, "See `cdrd suspense retry --help`.\n"),
        (["explain"], 2, "cdrd: Give an acctid or a linkedid. See `cdrd explain --help`.\n"),
        (["explain", "0"], 2, "See `cdrd explain --help`.\n"),
        (["run", "--role", "x"], 2, "See `cdrd run --help`.\n"),
        (["status"], 69, "Is it running, and does the DSN say where?\n"),
        (["migrate"], 69, "Is it running, and does the DSN say where?\n"),
        (["directory", "check"], 78, "Name a file on the command line, or in the settings.\n"),
        (["user", "remove", "nobody"], 69, "Is it running, and does the DSN say where?\n"),
    ],
)
def test_an_error_is_one_line_with_what_to_do(
    config: Path, words: list[str], code: int, said: str
) -> None:
    done = told("-c", str(config), *words)

    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("cdrd: ")
    assert done.err.count("\n") == 1
    assert done.err.endswith(said)
    assert "secret" not in done.err


def test_settings_named_before_forward_are_those_of_forward(config: Path) -> None:
    done = told("-c", str(config), "forward", "--check")

    assert done.code == 78
    assert f"{config}:1: database: there is no such key" in done.err


@pytest.mark.parametrize(
    ("settings", "code", "said"),
    [
        ({}, 78, "give a dsn, a dsn_file, or a folder for an embedded server"),
        ({"database": {"dsn": "nonsense"}}, 78, "database.dsn: invalid DSN"),
    ],
)
def test_a_database_that_is_named_wrongly_is_a_wrong_setting(
    config: Path, settings: dict[str, object], code: int, said: str
) -> None:
    config.write_text(json.dumps(settings))
    for command in ("status", "run"):
        done = told("-c", str(config), command)

        assert done.code == code
        assert said in done.err.splitlines()[-1]
        assert "Traceback" not in done.err


class Silent(Loopback):
    """A database that takes every connection and never says a word: a stopped process, a frozen machine."""

    def _serve(self, client: socket.socket) -> None:
        with client, self.opened(client), contextlib.suppress(OSError):
            while client.recv(65536):
                pass


@pytest.mark.parametrize("words", [("status",), ("token", "list")])
def test_a_database_that_hangs_is_told_of_soon(config: Path, words: tuple[str, ...]) -> None:
    with listening(Silent()) as silent:
        dsn = f"postgresql://nobody@127.0.0.1:{silent.port}/none"
        config.write_text(json.dumps({"database": {"dsn": dsn}}))
        done = told("-c", str(config), *words)

    assert done.code == 69
    assert done.err == (
        "cdrd: the database does not answer: nothing came for 5 s."
        " Is it running, and does the DSN say where?\n"
    )


def execute(dsn: str, sql: str) -> None:
    async def opened() -> None:
        connection = await asyncpg.connect(dsn)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(opened())


def test_a_user_without_rights_is_told_what_is_missing(config: Path, dsn: str) -> None:
    name = f"weak_{os.getpid()}"
    weak = dsn.replace("postgres:", f"{name}:weak")
    config.write_text(json.dumps({"database": {"dsn": weak}}))
    execute(dsn, f"CREATE ROLE {name} LOGIN PASSWORD 'weak'")
    try:
        done = told("-c", str(config), "status")
    finally:
        execute(dsn, f"DROP ROLE {name}")

    assert done.code == 69
    assert "permission denied" in done.err
    assert done.err.count("\n") == 1


def test_whoever_reads_may_have_seen_enough(config: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "cdrd", "-c", str(config), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert said == ""


def test_a_file_that_cannot_be_read_is_a_wrong_setting(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        for words in (("-c", str(path), "check-config"), ("directory", "check", str(path))):
            done = told(*words)

            assert done.code == 78
            assert done.err.startswith(f"cdrd: {path}: cannot be read: ")
            assert done.err.count("\n") == 1


def paths(command: click.Command, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command and group."""
    yield above
    for name, below in getattr(command, "commands", {}).items():
        yield from paths(below, (*above, name))


def test_every_command_has_help() -> None:
    for words in paths(cli):
        done = CliRunner().invoke(cli, [*words, "--help"], prog_name="cdrd")

        assert done.exit_code == 0
        assert done.stdout.startswith(f"Usage: {' '.join(['cdrd', *words])}")
        assert not re.search(r"\w\.\.\.$", done.stdout, re.MULTILINE), "a summary is cut"
