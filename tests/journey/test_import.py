"""`cdrd import` stores the files of carriers, once; --dry-run shows what would become of them."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from support.carriers import HEADER, MAPPING, Office, bill, carrier_row
from support.sources import every_record_is_accounted_for
from support.waiting import wait_until

from cdrd.errors import SettingsError


@pytest.fixture
def office(tmp_path: Path, dsn: str) -> Office:
    return Office(tmp_path, dsn)


def test_every_row_is_stored_with_its_place_its_cost_and_its_own_line(office: Office) -> None:
    path = office.write("july.csv", bill(1, 4))

    done = office.load(path)

    assert (done.exit_code, done.output) == (0, f"{path}: file 1: 3 rows stored, 0 in suspense\n")
    assert office.ask(
        "SELECT carrier_row.carrier, carrier_call_id, calldate, called, duration, cost, currency,"
        " charge_band, line, byte_offset, original, carrier_row_id, source.name"
        " FROM carrier_row JOIN source USING (source_id) WHERE line = 3"
    ) == [
        (
            "alpha",
            "x2",
            datetime(2026, 7, 1, 12, 24, 47, tzinfo=UTC),
            "+3314567000002",
            61,
            Decimal("0.0250"),
            "GBP",
            "FR-FIX",
            3,
            len(HEADER) + len(carrier_row(1)),
            carrier_row(2).encode(),
            2,
            "import:alpha",
        )
    ]
    digest = sha256(path.read_bytes()).digest()
    assert office.ask(
        "SELECT state, sha256, header, records FROM file JOIN position USING (file_id)"
    ) == [("finished", digest, HEADER.encode(), 3)]
    assert every_record_is_accounted_for(office.dsn)


def test_the_same_file_again_is_held_until_somebody_decides(office: Office) -> None:
    path = office.write("july.csv", bill(1, 4))
    office.load(path)
    copy = office.write("copy.csv", bill(1, 4))

    for again in (path, copy):
        held = office.load(again)
        assert held.exit_code == 1
        assert "held, because it is like file 1; nothing of it is stored" in held.output
    assert "held" in office.load(copy).output
    assert (office.states(), office.count()) == (["finished", "held", "held"], 3)

    assert office.run("file", "discard", "2").output == "2: discarded\n"
    assert office.run("file", "release", "3").output == "3: released\n"
    assert "3 rows stored" in office.load(copy).output
    assert (office.states(), office.count()) == (["finished", "discarded", "finished"], 6)
    assert every_record_is_accounted_for(office.dsn)


def test_a_last_row_without_a_newline_is_a_row(office: Office) -> None:
    assert "3 rows stored, 0 in" in office.load(office.write("july.csv", bill(1, 4)[:-1])).output


def test_a_compressed_file_is_what_is_in_it(office: Office) -> None:
    packed = office.write("july.csv.gz", gzip.compress(bill(1, 4).encode()))
    assert "file 1: 3 rows stored, 0 in" in office.load(packed).output
    dry = office.run("import", packed, "--carrier", "alpha", "--dry-run")
    assert "3 rows, 0 problems" in dry.output

    assert (
        "held, because it is like file 1" in office.load(office.write("j.csv", bill(1, 4))).output
    )


def test_a_file_that_grew_is_read_on(office: Office) -> None:
    path = office.write("july.csv", bill(1, 4))
    office.load(path)
    office.write("july.csv", bill(1, 6))

    assert "file 1: 2 rows stored" in office.load(path).output
    assert office.ask("SELECT line FROM carrier_row ORDER BY carrier_row_id") == [
        (2,), (3,), (4,), (5,), (6,),
    ]  # fmt: skip


def test_wrong_rows_go_to_suspense_alone_and_are_tried_again(office: Office) -> None:
    wrong = carrier_row(2).replace("0.0250", "0,0250 EUR")
    path = office.write("july.csv", HEADER + carrier_row(1) + wrong + "torn,row\n" + carrier_row(3))

    done = office.load(path)

    assert "2 rows stored, 2 in suspense" in done.output
    assert office.ask("SELECT line, byte_offset, raw, reason FROM suspense ORDER BY line") == [
        (3, len(HEADER + carrier_row(1)), b"" + wrong.encode(), "too_many_columns"),
        (4, len(HEADER + carrier_row(1) + wrong), b"torn,row\n", "too_few_columns"),
    ]
    assert "import:alpha" in office.run("suspense", "list", "--source", "import:alpha").output
    still = office.run("suspense", "retry", "--all")
    assert (still.exit_code, still.output.count("still none")) == (1, 2)
    assert every_record_is_accounted_for(office.dsn)


def test_a_suspended_row_becomes_one_when_the_mapping_is_put_right(office: Office) -> None:
    office.know("alpha", {**MAPPING, "decimal_mark": ","})
    path = office.write("july.csv", bill(1, 4))
    assert "0 rows stored, 3 in suspense" in office.load(path).output
    path.unlink()  # its header was kept

    office.know("alpha", MAPPING)
    again = office.run("suspense", "retry", "--all")

    assert again.exit_code == 0
    assert again.output.splitlines()[0] == "1: carrier's row 1"
    assert office.ask("SELECT line, cost FROM carrier_row ORDER BY line") == [
        (line, Decimal("0.0250")) for line in (2, 3, 4)
    ]
    assert every_record_is_accounted_for(office.dsn)


def test_rows_that_were_lost_are_read_again_from_the_file(office: Office) -> None:
    office.load(office.write("july.csv", bill(1, 200)))
    office.ask("DELETE FROM carrier_row WHERE line BETWEEN 10 AND 20 RETURNING 1")

    assert "11 were missing and are stored now" in office.run("replay").output
    assert office.count() == 199
    assert every_record_is_accounted_for(office.dsn)


GERMAN = """\
Rechnung;Oktober 2026
Datum;Uhrzeit;Von;Nach;Dauer;Betrag;Zone
25.10.2026;01:59:59;0301;0331;00:00:10;1.234,5600;vor der Umstellung
25.10.2026;02:30:00;0301;0331;00:01:01;0,0001;in der doppelten Stunde
25.10.2026;03:00:00;0301;0331;00:01:01;-0,5;nach der Umstellung
Summe;;;;;1.234,0601;
"""


def test_semicolons_decimal_commas_a_mark_of_excel_and_the_doubled_hour(office: Office) -> None:
    office.know(
        "nord",
        {
            "columns": {
                "date": "datum", "time": "uhrzeit", "caller": "von", "called": "nach",
                "duration": "dauer", "cost": "betrag", "description": "zone",
            },
            "delimiter": ";",
            "header_lines": 2,
            "footer_lines": 1,
            "date_format": "%d.%m.%Y %H:%M:%S",
            "zone": "Europe/Berlin",
            "decimal_mark": ",",
            "currency": "EUR",
            "duration_form": "clock",
        },
    )  # fmt: skip
    text = GERMAN.replace("\n", "\r\n").encode("utf-8-sig")

    assert "3 rows stored, 0 in" in office.load(office.write("o.csv", text), carrier="nord").output

    assert office.ask("SELECT line, calldate, cost, currency, duration FROM carrier_row") == [
        (3, datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC), Decimal("1234.5600"), "EUR", 10),
        (4, datetime(2026, 10, 25, 0, 30, tzinfo=UTC), Decimal("0.0001"), "EUR", 61),
        (5, datetime(2026, 10, 25, 2, 0, tzinfo=UTC), Decimal("-0.5"), "EUR", 61),
    ]


DRY_RUN = """\
{path}, line 3: bad_time: date (column Start): '31/12/2026 13:24:47' is no time in the form \
%Y-%m-%d %H:%M:%S; cost (column Cost): 'free' is no number with the decimal mark .
{path}, line 4: too_few_columns: 2 columns, expected 7 at least
line  time (UTC)           caller       called          seconds  cost        charge band  direction  id
2     2026-07-01 12:24:47  01632960111  +3314567000001  61       0.0250 GBP  FR-FIX                  x1
bad_time (1): in alpha.yaml, date_format says how times are written
too_few_columns (1): in alpha.yaml, delimiter is what columns end with; footer_lines, what is no row \
at the end
{path}: 2 rows, 2 problems; nothing is stored
    from 2026-07-01 12:24:47 UTC to 2026-07-01 12:24:47 UTC, cost 0.0500 GBP
"""


def test_a_dry_run_shows_rows_and_every_problem_and_stores_nothing(office: Office) -> None:
    bad = carrier_row(2).replace("2026-07-01", "31/12/2026").replace("0.0250", "free")
    path = office.write("july.csv", HEADER + carrier_row(1) + bad + "x,y\n" + carrier_row(3))

    done = office.run("import", path, "--carrier", "alpha", "--dry-run", "--rows", "1")

    assert done.exit_code == 1
    assert done.output == DRY_RUN.format(path=path)
    assert office.ask("SELECT FROM file") == office.ask("SELECT FROM source") == []


def test_a_dry_run_needs_no_database(office: Office) -> None:
    office.dsn = "postgresql://nobody@127.0.0.1:1/none"
    office.settle()
    done = office.run(
        "import", office.write("j.csv", bill(1, 3)), "--carrier", "alpha", "--dry-run"
    )
    assert (done.exit_code, "2 rows, 0 problems" in done.output) == (0, True)


def test_what_a_carrier_wrote_steers_no_terminal(office: Office) -> None:
    hostile = carrier_row(1).replace("FR-FIX", "\x1b]0;owned\x07\x1b[2J\u202e[red]x")
    path = office.write("j\x1b[31m.csv", HEADER + hostile + hostile.replace("0.0250", "\x1b[5m"))

    for words in (["--dry-run"], []):
        output = office.run("import", path, "--carrier", "alpha", *words).output
        assert not {"\x1b", "\x07", "\u202e"} & set(output)
    assert (
        "\\x1b]0;owned\\x07" in office.run("import", path, "--carrier", "alpha", "--dry-run").output
    )


def test_a_header_that_does_not_fit_is_told_and_nothing_is_stored(office: Office) -> None:
    path = office.write("july.csv", bill(1, 4).replace("Cost", "Price"))
    good = office.write("august.csv", bill(4, 6))

    done = office.load(path, good)

    assert done.exit_code == 1
    assert "the header has no column Cost" in done.output
    assert "august.csv: file 1: 2 rows stored" in done.output
    dry = office.run("import", path, "--carrier", "alpha", "--dry-run")
    assert "line 1: missing_field: the header has no column Cost" in dry.output


def test_files_that_cannot_be_read_are_named_and_the_others_stored(office: Office) -> None:
    empty = office.write("empty.csv", "")
    cut = office.write("cut.csv.gz", b"\x1f\x8b\x08\x00\x00")
    good = office.write("good.csv", bill(1, 3))

    done = office.load(office.folder / "no.csv", empty, cut, office.folder, good)

    assert done.exit_code == 1
    dry = office.run(
        *("import", office.folder / "no.csv", cut, empty, office.folder, good),
        *("--carrier", "alpha", "--dry-run"),
    )
    assert dry.exit_code == 1
    for words in ("no.csv: there is no such", "it ends too early", "2 rows, 0 problems"):
        assert words in dry.output
    for words in ("no.csv: there is no such file", "empty.csv: there is nothing in it",
                  "cut.csv.gz: it ends too early", "is no file", "2 rows stored"):  # fmt: skip
        assert words in done.output
    assert office.count() == 2


def test_wrong_settings_are_told_with_file_and_line(office: Office) -> None:
    path = office.write("july.csv", bill(1, 3))
    office.know("alpha", {**MAPPING, "zone": "Mars", "decimal_mark": "x"})
    wrong = office.load(path)
    assert isinstance(wrong.exception, SettingsError)
    assert [problem.partition(" ")[0] for problem in wrong.exception.problems] == [
        f"{office.carriers}/alpha.yaml:1:"
    ] * 2
    assert isinstance(office.run("check-config").exception, SettingsError)
    assert isinstance(office.load(path, carrier="beta").exception, SettingsError)
    for name in ("../alpha", "Alpha", ""):
        assert isinstance(office.load(path, carrier=name).exception, SystemExit)
        assert "is no name" in office.load(path, carrier=name).output


def test_an_import_that_is_killed_goes_on_where_it_was(office: Office) -> None:
    rows = 20_000
    path = office.write("july.csv", bill(0, rows))
    command = [sys.executable, "-m", "cdrd", "-c", str(office.config), "import", str(path)]
    stored = 0
    for _ in range(3):
        process = subprocess.Popen([*command, "--carrier", "alpha"], stdout=subprocess.DEVNULL)
        wait_until(lambda before=stored: office.count() > before, what="more rows")
        process.send_signal(signal.SIGKILL)
        process.wait()
        stored = office.count()
        assert stored < rows
        assert every_record_is_accounted_for(office.dsn)
    cut_off = "import:alpha: 1 file(s) not imported to the end; import them again"
    wait_until(lambda: cut_off in office.run("status").output, what="status says so")

    done = office.load(path)
    assert "not imported to the end" not in office.run("status").output

    assert f"file 1: {rows - stored} rows stored" in done.output
    assert office.ask(
        "SELECT count(*), count(DISTINCT called), max(carrier_row_id) FROM carrier_row"
    ) == [(rows, rows, rows)]
    assert office.states() == ["finished"]
    assert every_record_is_accounted_for(office.dsn)
