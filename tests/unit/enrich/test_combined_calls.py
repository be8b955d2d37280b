"""Calls in which several things happen one after the other, against what they were meant to be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import pytest
from support.decoded import CAPTURES
from support.truth import (
    COMPANIES,
    INPUTS,
    PROPERTIES,
    agrees,
    attribute_call,
    calls,
    custom_legs,
    directory,
)

from cdrd.calls import CallRecord
from cdrd.enrich.companies import load_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.story import explain
from cdrd.owners import DirectoryVersion, EntryKind
from cdrd.records import AcctId, Attribution, CompanyId

COMBINED = ("combined", "onward", "three")
EXACT = [kind for kind in INPUTS if kind.endswith("cel")]


class Miss(NamedTuple):
    """A property of a scenario's leg, or call, that is not decided as it was meant."""

    scenario: str
    property: str


class Compared(NamedTuple):
    """A property as it was meant, and as it was decided."""

    miss: Miss
    expected: Any
    decided: Any

    @property
    def agrees(self) -> bool:
        return agrees(self.expected, self.decided, self.miss.property)


class Decisions(NamedTuple):
    """What was decided of the capture."""

    legs: dict[AcctId | None, Attribution]
    calls: dict[str | None, CallRecord]
    """By the names of its channels."""


def _all(scenarios: str, properties: str) -> set[Miss]:
    return {Miss(s, p) for s in scenarios.split() for p in properties.split()}


CALLED_BY_PROGRAM = _all(
    "conference_dials_out@acme conference_dials_out@globex", "target direction"
)
"""Whom a program calls into a conference looks like one who called in."""

PIN_IN_NO_ROW = _all("disa_onnet@globex", "company bill_to direction dial_short trunk")
"""The company called notes its number in place of the PIN; an account code alone is not believed."""

OTHER_DIALLED = _all("semi_attended_out@acme semi_attended_out@globex", "dial_short")
"""Joined while it rang, the row of the consultation has the dst of the caller."""

CALLED_FOR_ANOTHER = _all(
    "originate_outside_to_other@acme originate_outside_to_other@globex", "company bill_to"
)
"""The same of whom a program calls and connects with another company's number."""

NUMBER_IN_NO_ROW = _all("menu_other_company@globex", "company bill_to")
"""The company that the menu leads to notes its number in place of the one called first."""

PIN_AND_NUMBER_IN_NO_ROW = _all("disa_other_forwarded_out@globex", "company bill_to direction")

CONTEXT_OVERWRITTEN = _all("queue_of_both@globex", "company bill_to")
"""A transfer by another company's member wrote its context over that of the queue."""

ONLY_BY_LINKEDID = _all("out_blind_other@acme out_blind_other@globex", "company bill_to")
"""Who was called outside and handed on has rows of its own, and calls another company's number by them."""

MOVED_BY_PROGRAM = _all(
    "program_moves_both_to_conference@acme program_moves_both_to_conference@globex", "dial_short"
)
"""Where a program moved the caller to was written over dst."""

NOTED_NOWHERE = _all("block_neighbour_out@globex", "dial_short dial_full")
"""The company called goes on at its own extension in place of the number, and notes none."""

_COMBINED = CALLED_BY_PROGRAM | PIN_IN_NO_ROW | OTHER_DIALLED
_ONWARD = CALLED_FOR_ANOTHER | NUMBER_IN_NO_ROW | PIN_AND_NUMBER_IN_NO_ROW | CONTEXT_OVERWRITTEN
GUESSED_WRONG = {
    ("combined", "cdr_csv"): _COMBINED,
    ("combined", "cdr_custom"): _COMBINED,
    ("onward", "cdr_csv"): _ONWARD | ONLY_BY_LINKEDID,
    ("onward", "cdr_custom"): _ONWARD,
    ("three", "cdr_csv"): MOVED_BY_PROGRAM | NOTED_NOWHERE,
    ("three", "cdr_custom"): MOVED_BY_PROGRAM | NOTED_NOWHERE,
}
"""Where records alone lead astray."""


NOBODYS_NUMBERS = ("03303303099", "03303303200")
"""Right before and behind a company's block, called from outside."""


@cache
def _scenarios(capture: str) -> list[dict[str, Any]]:
    with (CAPTURES / capture / "scenarios.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@cache
def _decided(capture: str, kind: str) -> Decisions:
    found = Decisions({}, {})
    for call in calls(capture, kind):
        decided = decide_call(call.legs, directory(capture), call.events)
        assert decided.record is not None
        found.legs.update({a.acctid: a for a in decided.attributions})
        names = {*decided.record.linkedids, *(leg.uniqueid for leg in call.legs)}
        found.calls.update(dict.fromkeys(names, decided.record))
    return found


def _compared_legs(capture: str, kind: str) -> Iterator[Compared]:
    ids = {(leg.uniqueid, leg.sequence): leg.acctid for leg in custom_legs(capture)}
    for scenario in _scenarios(capture):
        for told in scenario["legs"]:
            for uniqueid, sequence in told["of"]:
                attribution = _decided(capture, kind).legs[ids[uniqueid, sequence]]
                for name, expected in told["expected"].items():
                    value = getattr(attribution, name)
                    yield Compared(_miss(scenario, name), expected, value)


def _compared_calls(capture: str, kind: str) -> Iterator[Compared]:
    for scenario in _scenarios(capture):
        for told in scenario["calls"]:
            record = _decided(capture, kind).calls[told["first"]]
            for name, expected in told.items():
                if name != "first":
                    yield Compared(_miss(scenario, name), expected, getattr(record, name))


def _miss(scenario: dict[str, Any], name: str) -> Miss:
    return Miss(scenario["name"], name)


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("capture", COMBINED)
def test_each_leg_is_decided_as_it_was_meant(capture: str, kind: str) -> None:
    """Every property of which the truth speaks; the table says how many those are."""
    compared = list(_compared_legs(capture, kind))
    spoken = Counter(one.miss.property for one in compared)
    print(f"\n{capture} {kind}: " + " ".join(f"{name} {spoken[name]}" for name in PROPERTIES))

    assert [one for one in compared if not one.agrees] == []


@pytest.mark.parametrize("kind", EXACT)
@pytest.mark.parametrize("capture", COMBINED)
def test_each_call_is_as_a_whole_what_it_was_meant_to_be(capture: str, kind: str) -> None:
    assert [one for one in _compared_calls(capture, kind) if not one.agrees] == []


@pytest.mark.parametrize(("capture", "kind"), GUESSED_WRONG)
def test_records_alone_lead_astray_only_where_they_contradict_what_happened(
    capture: str, kind: str
) -> None:
    """What they cannot tell is left empty, but for this list, which is not longer than needed."""
    wrong = {
        one.miss
        for one in _compared_legs(capture, kind)
        if not one.agrees and one.decided not in (None, False)
    }

    assert wrong == GUESSED_WRONG[capture, kind]


def test_who_is_let_in_to_dial_on_is_known_by_the_number_called_first() -> None:
    """Where the directory lists no contexts, and the PIN's extension is one of both companies."""
    version = load_companies(COMPANIES).as_version(1)
    entries = [entry for entry in version.entries if entry.kind is not EntryKind.CONTEXT]
    without = Directory.compile(DirectoryVersion(1, version.companies, entries))
    scenarios = _scenarios("combined")
    let_in = {s["calls"][0]["first"]: s["name"] for s in scenarios if "disa" in s["name"]}
    found = {
        (let_in[call.legs[0].linkedid], attribution.bill_to)
        for call in calls("combined", "cdr_custom and cel")
        if call.legs[0].linkedid in let_in
        for attribution in attribute_call(call.legs, without, call.events)
    }

    assert found == {(name, name.partition("@")[2]) for name in let_in.values()}


def test_a_telephone_without_a_pattern_is_whose_context_it_calls_in() -> None:
    """Also where it hands a call on, to whom it had consulted; but not where it fetched that call itself."""
    version = load_companies(CAPTURES / "three" / "companies.yaml").as_version(1)
    entries = [entry for entry in version.entries if entry.kind is not EntryKind.ENDPOINT]
    without = Directory.compile(DirectoryVersion(1, version.companies, entries))
    decided = {
        attribution.acctid: attribution.company
        for call in calls("three", "cdr_custom and cel")
        for attribution in attribute_call(call.legs, without, call.events)
    }
    ids = {(leg.uniqueid, leg.sequence): leg.acctid for leg in custom_legs("three")}
    missed = {
        scenario["name"].partition("@")[0]
        for scenario in _scenarios("three")
        for told in scenario["legs"]
        for uniqueid, sequence in told["of"]
        if told["expected"].get("company")
        not in (None, decided[ids[uniqueid, sequence] or AcctId(0)])
    }

    assert missed == {"third_park_fetch_other_out"}


def _moved(number: str, to: str, at: datetime) -> Directory:
    """The directory of a PBX whose number belongs to another company from then on."""
    version = load_companies(CAPTURES / "onward" / "companies.yaml").as_version(1)
    (did,) = (e for e in version.entries if (e.kind, e.pattern) == (EntryKind.DID, number))
    others = [entry for entry in version.entries if entry is not did]
    both = (did._replace(valid_until=at), did._replace(company=CompanyId(to), valid_from=at))
    return Directory.compile(DirectoryVersion(1, version.companies, [*others, *both]))


@pytest.mark.parametrize("kind", INPUTS)
def test_a_number_that_moves_during_a_call_is_whose_it_was(kind: str) -> None:
    """A caller waits in a queue while the number goes to the other company, and is led on after that."""
    name = "queue_overflow_other_company@acme"
    (first,) = (s["calls"][0]["first"] for s in _scenarios("onward") if s["name"] == name)
    (call,) = (c for c in calls("onward", kind) if first in {leg.uniqueid for leg in c.legs})
    waited, led_on = sorted(leg for leg in call.legs if leg.uniqueid == first)
    number = (waited.userfield or "").removeprefix("did:")
    owners = _moved(number, "globex", led_on.calldate)
    decided = decide_call(call.legs, owners, call.events).attributions
    paid_by = {attribution.acctid: attribution.bill_to for attribution in decided}

    assert waited.calldate < led_on.calldate
    assert [paid_by[leg.acctid or AcctId(0)] for leg in (waited, led_on)] == ["acme", "acme"]


@pytest.mark.parametrize("kind", INPUTS)
def test_an_agreement_about_forwards_holds_for_those_without_a_local_channel(kind: str) -> None:
    """A busy extension of the company called goes on to a trunk, on the channel of the caller."""
    version = load_companies(CAPTURES / "onward" / "companies.yaml").as_version(1)
    agreed = [replace(company, pays={"forward": "caller"}) for company in version.companies]
    owners = Directory.compile(replace(version, companies=agreed))
    names = ("onnet_busy_forward_out@acme", "onnet_busy_forward_out@globex")
    firsts = {s["calls"][0]["first"] for s in _scenarios("onward") if s["name"] in names}
    paid_by = [
        (attribution.company, attribution.bill_to)
        for call in calls("onward", kind)
        if firsts & {leg.uniqueid for leg in call.legs}
        for attribution in attribute_call(call.legs, owners, call.events)
        if attribution.trunk
    ]

    assert sorted(paid_by) == [("acme", "globex"), ("globex", "acme")]


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("capture", COMBINED)
def test_every_leg_has_its_company_and_its_story(capture: str, kind: str) -> None:
    for call in calls(capture, kind):
        for leg in call.legs:
            attribution = _decided(capture, kind).legs[leg.acctid]
            told = list(explain(leg, call.legs, attribution, directory(capture), call.events))

            nobodys = leg.dst in NOBODYS_NUMBERS and not leg.dstchannel
            assert (attribution.company is None) == nobodys
            assert attribution.bill_to == attribution.company
            assert [line for line in told if "(no " in line] == []
