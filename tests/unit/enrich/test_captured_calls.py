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
    CallTruth,
    Truth,
    agrees,
    attribute_call,
    attributions,
    call_truths,
    calls,
    cel_events,
    directory,
    truths,
)

from cdrd.calls import CallDirection, CallRecord
from cdrd.enrich.batch import acctid_of
from cdrd.enrich.companies import load_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.grouping import CallGroup
from cdrd.records import Leg

OTHER_SITES = ("america", "germany", "zeros", "numeric")
CAPTURES = (
    "main",
    "v16",
    *OTHER_SITES,
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

NOTHING_NOTED = _all(
    """
    inbound_did_plus44 inbound_queue_answered inbound_queue_abandoned inbound_queue_timeout
    inbound_ivr_timeout voicemail_inbound_busy blind_xfer_inbound_to_external attended_xfer_external
    disa_wrong_pin
    """,
    "dial_full",
) | _all(
    """
    inbound_ivr_extension inbound_ivr_dial_by_extension inbound_ivr_ring_group_nobody
    forward_inbound_to_external conference
    """,
    "dial_full is_ivr",
)
"""Where the dialplan goes on from the DID to an extension, and notes it nowhere."""

NOTHING_NOTED_OF_MORE = _all(
    "inbound_did_noanswer inbound_withheld park_inbound_and_retrieve pickup_group", "dial_full"
)
"""These were placed to one company only, whose dialplan does the same."""

PLUS_REWRITTEN = _all("outbound_plus_e164", "dial_short")
"""The dialplan puts the prefix for other countries in the place of the plus, and goes on with that: dst is
as if it had been keyed so."""

WHOSE_PIN = _all("disa_auth_outbound", "src_ext auth")
"""Where the dialplan notes nothing of the PIN, and gives the channel no account code by it."""

NOTHING_OF_PIN = WHOSE_PIN | _all("disa_auth_outbound", "is_auth")

NOTES_NOTHING = NOTHING_NOTED | NOTHING_OF_PIN | PARKER_DIALS_IN_NO_ROW
WITHOUT_EVENTS = {
    "america": PARKER_DIALS_IN_NO_ROW,
    "germany": NOTES_NOTHING | NOTHING_NOTED_OF_MORE | PLUS_REWRITTEN,
    "zeros": NOTES_NOTHING,
    "numeric": NOTES_NOTHING | NOTHING_NOTED_OF_MORE,
}
"""Of the other sites; of `main` and its variants below."""


def _known(capture: str, kind: str) -> set[Miss]:
    if kind.endswith("cel") and cel_events(capture):
        known = WHOSE_PIN if capture in ("germany", "zeros") else set()
    else:
        known = WITHOUT_EVENTS.get(capture, NO_ROW_OF_THE_MENU | PARKER_DIALS_IN_NO_ROW)
        if capture.endswith("gmt_plain") and kind.startswith("cdr_csv"):
            known = known | NO_UNIQUEID
    placed = {_scenario(truth) for truth in truths(capture)}
    return {miss for miss in known if miss.scenario in placed}


def _scenario(truth: Truth | CallTruth) -> str:
    """What was placed, whatever company it was placed for."""
    return truth.scenario.partition("@")[0]


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
                misses[Miss(_scenario(truth), name)] += 1
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


@pytest.mark.parametrize("capture", ["main", *OTHER_SITES])
def test_the_lists_of_what_rows_cannot_tell_are_not_longer_than_needed(capture: str) -> None:
    misses = {kind: set(_misses(capture, kind)[0]) for kind in INPUTS}

    assert misses == {kind: _known(capture, kind) for kind in INPUTS}


def test_nothing_is_guessed_wrong_where_rows_cannot_tell() -> None:
    """A miss is an empty property, but where the dialplan has written something else over what was keyed."""
    wrong = set()
    for capture in CAPTURES:
        for kind in INPUTS:
            decided = attributions(capture, kind)
            for truth in truths(capture):
                for name, expected in truth.expected.items():
                    value = getattr(decided[truth.leg.acctid or 0], name)
                    if value not in (None, False) and not agrees(expected, value, name):
                        wrong.add(Miss(_scenario(truth), name))

    assert wrong == PLUS_REWRITTEN


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


NO_CALLER_IN_DISA = _all("disa_auth_outbound", "caller")
"""The dialplan shows a number of ours outside, and no row has the caller's."""


def _meant(truth: CallTruth) -> dict[str, object]:
    """What the row of a call must say."""
    call = truth.call
    went = {leg.expected["direction"] for leg in truth.legs}
    came_in = "inbound" in went or "in_trunk" in call
    out = "inbound-outbound" if came_in else "outbound"
    inside = call["direction"] in ("internal", "inbound")
    meant = {
        **{name: call[name] for name in ("company", "target", "bill_to", "caller")},
        "direction": out if "outbound" in went else "inbound" if came_in else "internal",
        "requested": call["dial_short" if inside else "dial_full"],
        "answered_by": call.get("answered_by") or truth.note.get("answered_by"),
    }
    return {name: said for name, said in meant.items() if name != "answered_by" or said}


def _rows(capture: str, kind: str) -> dict[int, CallRecord]:
    """The row of the call of each leg, by its acctid."""
    rows: dict[int, CallRecord] = {}
    for call in calls(capture, kind):
        record = decide_call(call.legs, directory(capture), call.events).record
        assert record is not None
        rows |= dict.fromkeys(map(acctid_of, call.legs), record)
    return rows


@pytest.mark.parametrize("kind", ["cdr_csv", "cdr_custom", "cdr_custom and cel"])
@pytest.mark.parametrize("capture", ["main", "v16", *OTHER_SITES])
def test_the_row_of_a_call_is_as_the_call_was_meant(capture: str, kind: str) -> None:
    rows = _rows(capture, kind)
    wrong = set()
    for truth in call_truths(capture):
        row = min((rows[acctid_of(leg.leg)] for leg in truth.legs), key=lambda row: row.started)
        name, meant = _scenario(truth), _meant(truth)
        wrong |= {Miss(name, what) for what, said in meant.items() if getattr(row, what) != said}

    assert wrong <= (set() if kind.endswith("cel") else NO_CALLER_IN_DISA)


@pytest.mark.parametrize("capture", ["main", "v16", *OTHER_SITES])
def test_records_tell_who_answered_as_events_do(capture: str) -> None:
    exact, without = (_rows(capture, kind) for kind in ("cdr_custom and cel", "cdr_custom"))

    told = {acctid: (exact[acctid].answered_by, row.answered_by) for acctid, row in without.items()}

    assert [(e, r) for e, r in told.values() if e != r] == []
