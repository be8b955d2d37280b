"""What the demo plays is what Asterisk wrote: with the captured numbers, the captured bytes."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cdrd.demo.stories import Numbers, Story, render, stories

CAPTURES = Path(__file__).parents[2] / "captures"
MAIN = CAPTURES / "main"
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def master() -> set[bytes]:
    """The lines of the captured Master.csv, 18 columns."""
    return set((MAIN / "cdr-csv" / "Master.csv.renamed-1").read_bytes().splitlines())


@pytest.fixture(scope="module")
def newcdrcolumns() -> dict[tuple[str, str], str]:
    """Of each captured record its linkedid and sequence → its peeraccount, as cdr_custom wrote them."""
    path = MAIN / "cdr-custom" / "full.csv"
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return {(row[21], row[22]): row[1] for row in csv.reader(file)}


def each_story() -> list[object]:
    return [pytest.param(story, id=story.name) for story in stories()]


@pytest.mark.parametrize("story", each_story())
def test_with_the_captured_numbers_a_story_is_what_was_captured(
    story: Story, master: set[bytes], newcdrcolumns: dict[tuple[str, str], str]
) -> None:
    for record in story.records:
        line = render(record.text, story.captured, NEW_YORK)
        old, peeraccount, linkedid, sequence = line.removesuffix(b"\n").rsplit(b",", 3)

        assert old in master
        assert newcdrcolumns[linkedid.decode().strip('"'), sequence.decode()] == (
            peeraccount.decode().strip('"')
        )


def test_the_columns_are_quoted_as_asterisk_quotes_them_with_newcdrcolumns() -> None:
    """The same call was captured with newcdrcolumns=yes: all but times and numbers is equal."""
    captured = (CAPTURES / "variants" / "newcols" / "cdr-csv" / "Master.csv").read_bytes()
    story = next(story for story in stories() if story.name == "internal_answered@acme")
    numbers = re.compile(rb"\d+(?=[:.\"-])|(?<=[.:,-])\d+|(?<=-)[0-9a-f]{8}")

    played = render(story.records[0].text, Numbers(), NEW_YORK)

    assert numbers.sub(b"#", played) in {
        numbers.sub(b"#", line) for line in captured.splitlines(keepends=True)
    }


@pytest.mark.parametrize("story", each_story())
def test_no_number_of_a_story_is_used_again_by_the_next(story: Story) -> None:
    first = Numbers(second=1_700_000_000)
    second = first.after(story.used)

    def taken(numbers: Numbers) -> set[str]:
        lines = [render(record.text, numbers, NEW_YORK).decode() for record in story.records]
        patterns = (r"\"\d{10}\.(\d+)\"", r"(PJSIP/\S+-[0-9a-f]{8})", r"(Local/\S+-[0-9a-f]{8})")
        return {
            found for line in lines for pattern in patterns for found in re.findall(pattern, line)
        } | {line.rpartition(",")[2] for line in lines}

    assert not taken(first) & taken(second)


def test_times_are_in_the_zone_of_the_pbx() -> None:
    numbers = Numbers(second=1_795_285_487)

    assert render('"{T0}"', numbers, NEW_YORK) == b'"2026-11-21 13:24:47"\n'
    assert render('"{T3}"', numbers, ZoneInfo("Asia/Kolkata")) == b'"2026-11-21 23:54:50"\n'


def test_in_the_doubled_hour_the_clock_shows_the_same_time_twice() -> None:
    london = ZoneInfo("Europe/London")
    numbers = Numbers(second=1_792_888_200)

    assert render("{T0}", numbers, london) == b"2026-10-25 01:30:00\n"
    assert render("{T3600}", numbers, london) == b"2026-10-25 01:30:00\n"


def test_numbers_are_written_as_asterisk_writes_them() -> None:
    numbers = replace(Numbers(), second=100, uniqueid=7, pjsip=10, local=255, sequence=3)

    assert render("{U2.1} {P0} {L1} {S4}", numbers, NEW_YORK) == b"102.8 0000000a 00000100 7\n"


def test_both_companies_and_every_kind_of_call_are_played() -> None:
    names = {story.name.partition("@")[0] for story in stories()}
    companies = {story.name.partition("@")[2] for story in stories()}

    assert companies == {"acme", "globex"}
    kinds = ["internal", "outbound", "inbound", "onnet", "busy", "noanswer", "voicemail"]
    kinds += ["queue", "xfer", "forward", "park", "pickup", "ivr"]
    for kind in kinds:
        assert any(kind in name for name in names), kind
