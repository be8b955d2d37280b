"""The commands about suspended records, on what a hostile PBX wrote."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from support.commands import Commands
from support.pbx import record
from support.stages import following
from support.waiting import until

from cdrd.errors import NotFound
from cdrd.records import SourceKind
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.suspense import waiting_suspense

COLUMNS = [
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
    "customer",
    "project",
    "shift",
    "desk",
]
SHORT = b'"acme","[red]\x1b[31m\xe2\x80\xae","102"\n'


async def collected(dsn: str, path: Path, *, suspended: int) -> None:
    """Collects until so many records are in suspense."""
    source = SourceSettings(name="pbx1", kind=SourceKind.ASTERISK_CSV, path=str(path))
    async with Database(dsn) as database:

        async def enough() -> bool:
            return len(await waiting_suspense(database)) >= suspended

        async with following(database, source):
            await until(enough, "they are in suspense")


@pytest.fixture
def suspense(tmp_path: Path, dsn: str) -> Commands:
    """A source of which three records are in suspense and one is a leg."""
    master = tmp_path / "Master.csv"
    local_time = record(1).replace(b"2026-11-21 18:24:47", b"21/11/2026 18:24:47")
    wide = record(2).replace(b'""\n', b'"","ACME","roof","late","7"\n')
    master.write_bytes(SHORT + record(0) + local_time + wide)
    asyncio.run(collected(dsn, master, suspended=3))
    config = tmp_path / "cdrd.yaml"
    source = {"name": "pbx1", "kind": "asterisk-csv", "path": str(master)}
    config.write_text(json.dumps({"database": {"dsn": dsn}, "sources": [source]}))
    return Commands(config, "suspense")


def test_the_list_says_what_waits_where_and_why(suspense: Commands) -> None:
    listed = suspense.well("list", "--source", "pbx1")

    assert "too_few_columns" in listed
    assert "bad_time" in listed
    assert "pbx1" in listed
    assert "too_few_columns" not in suspense.well("list", "--source", "other")
    assert "more than these 1" in suspense.well("list", "--limit", "1")


def test_a_shown_record_controls_no_terminal(suspense: Commands) -> None:
    shown = suspense.well("show", "1")

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert repr(SHORT) in shown
    assert "waiting" in shown


def test_what_is_tried_again_in_vain_waits_on(suspense: Commands) -> None:
    result = suspense("retry", "--all")

    assert result.exit_code == 1
    assert "1: still none: too_few_columns" in result.stdout
    assert "3 tried, 0 are stored, 3 wait on" in result.stdout


def test_a_discarded_record_is_decided(suspense: Commands) -> None:
    assert suspense.well("discard", "1") == "1: discarded\n"
    assert "too_few_columns" not in suspense.well("list")
    assert "discarded" in suspense.well("show", "1")
    assert isinstance(suspense("retry", "1").exception, NotFound)
    assert isinstance(suspense("discard", "1").exception, NotFound)


def test_a_record_becomes_a_leg_when_the_settings_are_put_right(
    suspense: Commands, tmp_path: Path
) -> None:
    config = json.loads((tmp_path / "cdrd.yaml").read_text())
    config["sources"][0] |= {"kind": "asterisk-custom", "columns": COLUMNS}
    (tmp_path / "cdrd.yaml").write_text(json.dumps(config))

    assert suspense.well("retry", "3") == "3: leg 2\n1 tried, 1 are stored, 0 wait on\n"
    assert "too_many_columns" not in suspense.well("list")
    assert "3: leg 2" in suspense.well("retry", "3")


def test_which_records_must_be_said(suspense: Commands) -> None:
    assert suspense("retry").exit_code == 2
    assert suspense("discard").exit_code == 2
    assert isinstance(suspense("show", "99").exception, NotFound)


def test_a_record_of_a_source_that_is_not_in_the_settings_says_so(
    suspense: Commands, tmp_path: Path
) -> None:
    config = json.loads((tmp_path / "cdrd.yaml").read_text())
    (tmp_path / "cdrd.yaml").write_text(json.dumps({"database": config["database"]}))

    assert "no source 'pbx1'" in str(suspense("retry", "1").exception)
