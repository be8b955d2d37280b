"""The commands that let somebody in, and what then happens at the door."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.commands import Commands
from support.reading import Answer, Served, decided_legs, serving

from cdrd.errors import CdrdError
from cdrd.store.database import Database


@pytest.fixture
def cdrd(tmp_path: Path, dsn: str) -> Commands:
    config = tmp_path / "cdrd.yaml"
    config.write_text(json.dumps({"database": {"dsn": dsn}}))
    return Commands(config)


@pytest.fixture
def companies(cdrd: Commands, tmp_path: Path) -> None:
    """A directory in force, of two companies."""
    path = tmp_path / "companies.yaml"
    path.write_text("companies: {acme: {}, globex: {}}")
    cdrd.well("directory", "apply", str(path), "--yes")


def answered(dsn: str, *asks: Any) -> list[Answer]:
    """What a server answers to these questions."""

    async def ask() -> list[Answer]:
        async with Database(dsn) as database, serving(database) as served:
            return [await one(served) for one in asks]

    return asyncio.run(ask())


def reads(token: str) -> Any:
    return lambda served: served.read(token)


@pytest.mark.usefixtures("companies")
def test_a_user_and_a_token_from_the_command_line_read_calls(cdrd: Commands, dsn: str) -> None:
    async def fill() -> None:
        async with Database(dsn) as database:
            await decided_legs(database, 2)

    asyncio.run(fill())
    cdrd.well("user", "add", "biller", "--company", "acme", "--no-password")
    words = ("boss", "--permission", "system-admin", "--password-stdin")
    cdrd.well("user", "add", *words, given="correct horse\n")
    token = cdrd.well("token", "create", "biller", "--label", "poller", "--expires", "90d").strip()
    same_verb = cdrd.well("token", "add", "biller", "--quiet").strip()

    def by_password(served: Served) -> Any:
        auth = {"username": "boss", "password": "correct horse"}
        return served.ask("POST", "/rest/auth/", json={"auth": auth})

    first, second, boss = answered(dsn, reads(token), reads(same_verb), by_password)
    assert re.fullmatch(r"cdrd_[\w-]{43}", token)
    assert first.acctids == second.acctids == [1, 2]
    assert boss.json["user"]["perms"] == {"system-admin": "yes"}


def test_who_is_disabled_revoked_or_removed_is_out(cdrd: Commands, dsn: str) -> None:
    cdrd.well("user", "add", "biller", "--no-password")
    one, two = (cdrd.well("token", "create", "biller").strip() for _ in range(2))
    cdrd.well("user", "disable", "biller")
    assert [answer.status for answer in answered(dsn, reads(one))] == [401]
    cdrd.well("user", "disable", "biller", "--undo")
    cdrd.well("token", "revoke", "1")
    assert [answer.status for answer in answered(dsn, reads(one), reads(two))] == [401, 200]
    cdrd.well("user", "remove", "biller")
    assert [answer.status for answer in answered(dsn, reads(two))] == [401]


@pytest.mark.usefixtures("companies")
def test_the_lists_show_who_there_is_and_no_secret(cdrd: Commands) -> None:
    words = ("--name", "[red]Bill\x1b[0m", "--company", "acme", "--password-stdin")
    cdrd.well("user", "add", "biller", *words, given="correct horse\n")
    token = cdrd.well(
        "token", "create", "biller", "--label", "the poller", "--expires", "1y"
    ).strip()
    cdrd.well("user", "disable", "biller")
    users, tokens = cdrd.well("user", "list"), cdrd.well("token", "list")

    assert "[red]Bill\\u001b[0m" in users
    shown = {*re.split(r"\s{2,}|\n", users)}
    assert {"biller", "billing call-summary", "acme", "disabled"} <= shown
    assert "the poller" in tokens
    assert token not in tokens
    assert "argon2" not in users
    assert cdrd.well("token", "list", "nobody").count("\n") <= 1


@pytest.mark.usefixtures("companies")
def test_a_company_that_never_was_is_taken_only_where_that_is_said(cdrd: Commands) -> None:
    """Who is limited to it reads nothing, and would not be told why."""
    words = ("user", "add", "biller", "--company", "globex", "--company", "acmee")
    error = cdrd(*words, "--password-stdin").exception

    assert isinstance(error, CdrdError)
    assert str(error) == "there never was a company acmee; did you mean acme?"
    assert "--allow-unknown-company" in (error.hint or "")
    assert "biller" not in cdrd.well("user", "list")
    cdrd.well(*words, "--allow-unknown-company", "--no-password")
    assert "globex, acmee" in cdrd.well("user", "list")


def test_a_source_that_nobody_can_push_to_is_told(cdrd: Commands, tmp_path: Path) -> None:
    config = tmp_path / "cdrd.yaml"
    settings = json.loads(config.read_text())
    hq = {"name": "hq", "kind": "asterisk-csv", "push": True}
    branch = {"name": "branch", "kind": "asterisk-csv", "path": "/var/log/Master.csv"}
    config.write_text(json.dumps({**settings, "sources": [hq, branch]}))
    names = [word for name in ("hq", "branch", "hqq") for word in ("--push", name)]
    told = cdrd("user", "add", "pbx", *names, "--no-password").stderr

    assert told == (
        "user pbx added\n"
        f"{config} has no source branch that takes pushes; there is hq\n"
        f"{config} has no source hqq that takes pushes; did you mean hq?\n"
    )


def test_without_a_directory_no_company_is_known(cdrd: Commands) -> None:
    error = cdrd("user", "add", "biller", "--company", "acme", "--no-password").exception

    assert str(error) == "there never was a company acme"


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["user", "add", "a:b"], None),
        (["user", "add", "bob", "--password-stdin"], "short\n"),
        (["user", "add", "bob", "--permission", "levitate", "--no-password"], None),
        (["token", "create", "bob", "--expires", "soon"], None),
        (["token", "revoke", "x"], None),
    ],
)
def test_a_wrong_command_line_is_refused(
    cdrd: Commands, words: list[str], given: str | None
) -> None:
    assert cdrd(*words, given=given).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["user", "disable", "nobody"],
        ["user", "remove", "nobody"],
        ["token", "create", "nobody"],
        ["token", "revoke", "99"],
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(cdrd: Commands, words: list[str]) -> None:
    error = cdrd(*words).exception

    assert isinstance(error, CdrdError)
    assert "there is no" in str(error)
    assert error.hint


def test_a_password_can_be_typed_and_changed(cdrd: Commands, dsn: str) -> None:
    twice = "correct horse\ncorrect horse\n"
    cdrd.well("user", "add", "boss", "--permission", "system-admin", given=twice)
    cdrd.well("user", "passwd", "boss", "--password-stdin", given="battery staple\n")

    def with_password(password: str) -> Any:
        auth = {"username": "boss", "password": password}
        return lambda served: served.ask("POST", "/rest/auth/", json={"auth": auth})

    old, new = answered(dsn, with_password("correct horse"), with_password("battery staple"))
    assert (old.status, new.status) == (401, 200)
