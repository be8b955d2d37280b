"""`cdrd directory` and `cdrd explain`, as an operator uses them."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from support.commands import Terminal, Told, told
from support.legs import collecting, leg
from support.pbx import record
from support.stages import nothing_waits, running

from cdrd.store.database import Database

COMPANIES = """
companies:
  acme:
    name: "Acme \\e[31mLtd \\u202e"
    billing_group: retail
    endpoints: ["PJSIP/acme-{ext}"]
    extensions: [101-199]
  globex:
    name: Globex
    dids: ["+441908555101"]
trunks: [carrier]
"""


class Operator:
    """Runs commands with settings of the test's own."""

    def __init__(self, folder: Path, dsn: str, patch: pytest.MonkeyPatch) -> None:
        self.config = folder / "cdrd.yaml"
        self.companies = folder / "companies.yaml"
        self.master = folder / "Master.csv"
        self.companies.write_text(COMPANIES)
        settings = {
            "database": {"dsn": dsn},
            "enrich": {"companies": str(self.companies)},
            "sources": [{"name": "pbx1", "kind": "asterisk-csv", "path": str(self.master)}],
        }
        self.config.write_text(json.dumps(settings))
        patch.setenv("COLUMNS", "250")

    def run(self, *arguments: str, answer: str = "", out: Terminal | None = None) -> Told:
        """One command; `answer` is what is typed when it asks."""
        said = told("-c", str(self.config), *arguments, answer=answer, out=out)
        assert "\x1b" not in said.out + said.err
        assert "\u202e" not in said.out + said.err
        return said


@pytest.fixture
def operator(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Operator:
    return Operator(tmp_path, dsn, monkeypatch)


def in_database(dsn: str, work: Callable[[Database], Awaitable[None]]) -> None:
    async def opened() -> None:
        async with Database(dsn) as database:
            await work(database)

    asyncio.run(opened())


async def enriched(database: Database) -> None:
    """Everything that waits is decided."""
    async with running(database):
        await nothing_waits(database)


def test_a_companies_file_is_checked_without_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(tmp_path, "postgresql://nobody@127.0.0.1:1/none", monkeypatch)
    told = operator.run("directory", "check")
    assert told.code == 0
    assert f"{operator.companies}: fine; company: 2, " in told.out
    assert "did: 1" in told.out
    gaps = [line for line in told.out.splitlines() if line.startswith("warning: no ")]
    assert [gap[gap.rindex("(") :] for gap in gaps] == ["(globex)", "(acme, globex)"]

    other = tmp_path / "other.yaml"
    other.write_text(COMPANIES + "  - 'x y z'\nnonsense: 1\n")
    assert operator.run("directory", "check", str(other)).code == 78
    other.write_text(COMPANIES + "nonsense: 1\nzone: Nowhere\n")
    told = operator.run("directory", "check", str(other))
    assert (told.code, told.out) == (78, "")
    assert f"cdrd: {other}:12: nonsense" in told.err
    assert f"cdrd: {other}:13: zone" in told.err


def test_without_a_file_in_the_settings_one_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = Operator(tmp_path, "postgresql://nobody@127.0.0.1:1/none", monkeypatch)
    operator.config.write_text("{}")

    assert operator.run("directory", "check").code == 78
    assert operator.run("directory", "check", str(operator.companies)).code == 0


def test_a_directory_is_shown_before_it_is_applied_and_asked_for(operator: Operator) -> None:
    told = operator.run("directory", "show")
    assert (told.code, "no directory was applied yet" in told.err) == (1, True)

    told = operator.run("directory", "apply", answer="n\n")
    assert told.code == 1
    assert "+ endpoint PJSIP/acme-{ext}" in told.out
    assert "added, 0 removed, 0 changed" in told.out
    assert operator.run("directory", "show").code == 1

    assert "version 1 is in force" in operator.run("directory", "apply", answer="y\n").out
    assert operator.run("directory", "apply").out == "nothing changes\n"

    operator.companies.write_text(COMPANIES.replace("Globex", "Globex plc"))
    told = operator.run("directory", "apply", "--yes")
    assert "~ company: name Globex → name Globex plc" in told.out
    assert "version 2 is in force" in told.out


def test_every_version_of_the_directory_can_be_looked_at(operator: Operator) -> None:
    operator.run("directory", "apply", "--yes")
    operator.companies.write_text(COMPANIES.replace("Globex", "Globex plc"))
    operator.run("directory", "apply", "--yes")

    told = operator.run("directory", "show")
    assert told.out.startswith("version 2, applied ")
    assert "Globex plc" in told.out
    assert "(shared by all)" in told.out
    assert "Acme \\x1b[31mLtd \\u202e" in told.out
    assert "Globex plc" not in operator.run("directory", "show", "--version", "1").out
    told = operator.run("directory", "show", "acme")
    assert "101-199" in told.out
    assert "PJSIP/acme-{ext}" in told.out
    assert "+441908555101" not in told.out
    told = operator.run("directory", "show", "acne")
    assert (told.code, "there is no company acne in version 2" in told.err) == (1, True)
    told = operator.run("directory", "show", "--version", "7")
    assert (told.code, "there is no version 7" in told.err) == (1, True)


HOSTILE = record(1, name="Bob\x1b]0;x\x07 [red]\u202e")
SPANNING = record(2, name="Car\nol")
ODD = record(3).replace(b'"ANSWERED"', b"ANSWERED")


def text(raw: bytes) -> str:
    """A record as it is printed."""
    shown = raw.decode().removesuffix("\n").replace("\n", "\\x0a").replace("\x07", "\\x07")
    return shown.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")


@pytest.fixture
def stored(operator: Operator, dsn: str) -> Operator:
    """Four legs from a file, decided by the companies."""
    data = b"".join([record(0), HOSTILE, SPANNING, ODD])
    operator.master.write_bytes(data)
    operator.run("directory", "apply", "--yes")

    async def store(database: Database) -> None:
        async with collecting(database) as collector:
            await collector.store_file(operator.master, data)
        await enriched(database)

    in_database(dsn, store)
    return operator


def test_the_record_is_read_from_its_file_wherever_rotation_has_put_it(stored: Operator) -> None:
    for acctid, raw in ((1, record(0)), (2, HOSTILE), (3, SPANNING)):
        told = stored.run("explain", str(acctid))
        assert told.code == 0
        assert f"Record, as it is in {stored.master}:\n  {text(raw)}\n" in told.out

    assert "as the PBX wrote it:\n  " + text(ODD) in stored.run("explain", "4").out

    rotated = stored.master.with_name("Master.csv.1")
    stored.master.rename(rotated)
    stored.master.write_bytes(record(9) * 20)
    assert f"as it is in {rotated}:\n  {text(HOSTILE)}\n" in stored.run("explain", "2").out

    packed = stored.master.with_name("Master.csv.1.gz")
    packed.write_bytes(gzip.compress(rotated.read_bytes()))
    rotated.unlink()
    assert f"as it is in {packed}:\n  {text(SPANNING)}\n" in stored.run("explain", "3").out

    packed.unlink()
    told = stored.run("explain", "3")
    assert f"rebuilt from the leg as cdr_csv writes it, with times of UTC:\n  {text(SPANNING)}" in (
        told.out
    )


def test_the_story_tells_where_a_leg_is_from_and_which_rule_decided(stored: Operator) -> None:
    told = stored.run("explain", "2")

    assert "source pbx1 (asterisk-csv, PBX pbx1)" in told.out
    assert f"file {stored.master}, line 2, byte {len(record(0))}" in told.out
    assert "Call 1795285487.1, legs: 1" in told.out
    assert "by version 1 of the directory, knowing every leg up to 4" in told.out
    assert "  company acme: " in told.out
    assert "(rule " in told.out
    assert "otherwise now" not in told.out


def test_the_story_of_a_leg_fits_a_terminal_of_eighty_columns(
    operator: Operator, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the record, which is shown as it is."""
    monkeypatch.setenv("COLUMNS", "80")

    async def store(database: Database) -> None:
        async with collecting(database) as collector:
            await collector.store(leg("10.0", src="Eve " * 70, dst="1" * 60, lastapp="Dial " * 20))
        await enriched(database)

    operator.run("directory", "apply", "--yes")
    in_database(dsn, store)
    lines = operator.run("explain", "1", out=Terminal()).out.splitlines()
    _, _, _, record, *others = lines

    assert [line for line in others if len(line) > 80] == []
    assert len(record) > 500
    assert any(line.startswith("→ 1  ") for line in others)


def test_what_would_be_decided_otherwise_now_is_told(stored: Operator) -> None:
    stored.companies.write_text(
        COMPANIES.replace("acme", "apex").replace("PJSIP/apex", "PJSIP/acme")
    )
    stored.run("directory", "apply", "--yes")
    told = stored.run("explain", "1")

    assert "by version 1 of the directory" in told.out
    assert "It would be decided otherwise now:\n" in told.out
    assert "company: acme → apex" in told.out
    assert "By version 2 of the directory, which is in force:" in told.out


def test_a_leg_that_waits_is_explained_as_it_would_be_decided(operator: Operator, dsn: str) -> None:
    operator.master.write_bytes(record(0))

    async def store(database: Database) -> None:
        async with collecting(database) as collector:
            await collector.store_file(operator.master, record(0))

    in_database(dsn, store)
    told = operator.run("explain", "1")
    assert "Not decided yet: it waits for the enrich stage" in told.out
    assert "company" not in told.out
    operator.run("directory", "apply", "--yes")

    assert "company acme" in operator.run("explain", "1").out


def test_a_leg_that_is_not_there_is_said_to_be_missing(stored: Operator) -> None:
    told = stored.run("explain", "99")
    assert (told.code, told.out) == (1, "")
    assert told.err == "cdrd: there is no leg 99; the newest is 4\n"

    assert stored.run("explain", "0").code == 2
