"""Every call that was captured on a real Asterisk, against what it was meant to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from support.truth import (
    COMPANIES,
    INPUTS,
    PROPERTIES,
    agrees,
    attribute_call,
    attributions,
    calls,
    cel_events,
    directory,
    truths,
)

from cdrd.calls import CallDirection
from cdrd.enrich.batch import acctid_of
from cdrd.enrich.companies import load_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.grouping import CallGroup
from cdrd.records import Leg

CAPTURES = (
    "main",
    "v16",
    *(
        f"variants/{name}"
        for name in ("newcols", "gmt_plain", "batch", "cancel_quiet", "dst_london")
    ),
)
TENANTS = ("acme", "globex")
EXACT = ("company", "target", "bill_to", "direction")
"""What billing stands on is right in every leg of every capture, whatever the input."""


class Miss(NamedTuple):
    """A property of a scenario's leg that is not decided as it was meant."""

    scenario: str
    property: str


def _all(scenarios: str, properties: str) -> set[Miss]:
    return {Miss(s, p) for s in scenarios.split() for p in properties.split()}


NO_ROW_OF_THE_MENU = _all("inbound_ivr_extension conference", "dial_full is_ivr")
"""Where the dialplan notes no DID, nothing in the rows tells of the number, or of the menu it led to."""

PARKER_DIALS_IN_NO_ROW = _all("park_and_retrieve", "dial_short")
"""Who parks by REFER to the parking extension leaves no row; by feature code the rows are the same."""

NO_UNIQUEID = _all("inbound_did_extension inbound_queue_answered", "dial_full") | _all(
    "disa_auth_outbound", "src_ext is_auth auth"
)
"""With 16 columns there is no userfield, and the number or PIN that the dialplan noted there is gone."""

RECORDS = NO_ROW_OF_THE_MENU | PARKER_DIALS_IN_NO_ROW


def _known(capture: str, kind: str) -> set[Miss]:
    if kind.endswith("cel") and cel_events(capture):
        return set()
    without = capture.endswith("gmt_plain") and kind.startswith("cdr_csv")
    return RECORDS | (NO_UNIQUEID if without else set())


def _misses(capture: str, kind: str) -> tuple[Counter[Miss], Counter[str], int]:
    decided = attributions(capture, kind)
    misses: Counter[Miss] = Counter()
    agreed: Counter[str] = Counter()
    for truth in truths(capture):
        attribution = decided[truth.leg.acctid or 0]
        for name, expected in truth.expected.items():
            if agrees(expected, getattr(attribution, name), name):
                agreed[name] += 1
            else:
                misses[Miss(truth.scenario.partition("@")[0], name)] += 1
    return misses, agreed, len(truths(capture))


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("capture", CAPTURES)
def test_calls_are_decided_as_they_were_meant(capture: str, kind: str) -> None:
    """All that the rows can tell is right; what they cannot tell is listed above, with the reason."""
    misses, agreed, legs = _misses(capture, kind)
    told = " ".join(f"{name} {agreed[name]}/{legs}" for name in PROPERTIES)
    print(f"\n{capture} {kind}: {told}")

    assert set() == set(misses) - _known(capture, kind)
    assert [legs] * len(EXACT) == [agreed[name] for name in EXACT]


def test_the_lists_of_what_rows_cannot_tell_are_not_longer_than_needed() -> None:
    misses = {kind: set(_misses("main", kind)[0]) for kind in INPUTS}

    assert misses == {kind: _known("main", kind) for kind in INPUTS}


def test_nothing_is_guessed_wrong_where_rows_cannot_tell() -> None:
    """A miss is an empty property."""
    wrong = set()
    for capture in CAPTURES:
        for kind in INPUTS:
            decided = attributions(capture, kind)
            for truth in truths(capture):
                for name, expected in truth.expected.items():
                    value = getattr(decided[truth.leg.acctid or 0], name)
                    if value not in (None, False) and not agrees(expected, value, name):
                        wrong.add((truth.scenario.partition("@")[0], name))

    assert set() == wrong


@pytest.mark.parametrize("capture", CAPTURES)
def test_every_leg_has_a_company_or_a_reason(capture: str) -> None:
    for kind, source in INPUTS.items():
        decided = attributions(capture, kind)

        assert len(source.legs(capture)) == len(decided)
        assert all((a.company is None) == (a.reason is not None) for a in decided.values())


def _default_pays(situation: str, folder: Path) -> Directory:
    """What both tenants have agreed on."""
    plan, text = folder / "companies.yaml", COMPANIES.read_text()
    for company in TENANTS:
        pays = f"    pays: {{{situation}: default}}\n"
        text = text.replace(f"  {company}:\n", f"  {company}:\n{pays}")
    plan.write_text(text)
    return Directory.compile(load_companies(plan).as_version(1))


@pytest.mark.parametrize("situation", ["internal", "outbound", "inbound", "onnet", "auth"])
def test_companies_can_say_who_pays_in_each_situation_and_in_no_other(
    situation: str, tmp_path: Path
) -> None:
    agreed = _default_pays(situation, tmp_path)
    before = attributions("main", "cdr_custom")
    after = {
        one.acctid: one
        for call in calls("main", "cdr_custom")
        for one in attribute_call(call.legs, agreed)
    }
    paid = {acctid for acctid, one in after.items() if one.bill_to != before[acctid].bill_to}

    assert paid == {
        acctid
        for acctid, one in before.items()
        if one.company in TENANTS and situation in (one.direction, one.auth and "auth")
    }
    assert {after[acctid].bill_to for acctid in paid} == {"default"}


def _by_pin() -> Iterator[tuple[Sequence[Leg], CallGroup]]:
    """Calls by PIN that only events tell of: their legs as they are then, and the calls as they were."""
    for call in calls("main", "cdr_custom and cel"):
        if any(attributions("main", "cdr_custom")[acctid_of(leg)].is_auth for leg in call.legs):
            yield [leg._replace(userfield="", extra=None) for leg in call.legs], call


def test_a_pin_that_only_events_tell_of_is_one_for_who_pays(tmp_path: Path) -> None:
    agreed = _default_pays("auth", tmp_path)
    found = [one for legs, call in _by_pin() for one in attribute_call(legs, agreed, call.events)]

    assert [one.company for one in found] == ["acme", "globex"]
    assert [one.bill_to for one in found] == ["default", "default"]


def test_a_call_by_pin_came_in_and_goes_out_whatever_tells_of_the_pin() -> None:
    for legs, call in _by_pin():
        noted = decide_call(call.legs, directory(), call.events).record
        heard = decide_call(legs, directory(), call.events).record
        assert noted is not None
        assert heard is not None
        assert noted.direction == heard.direction == CallDirection.INBOUND_OUTBOUND
