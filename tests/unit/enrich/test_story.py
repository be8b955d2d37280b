"""What `cdrd explain` says: for each property the rule, and what it saw, in words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
from support.truth import INPUTS, attribute_call, calls, custom_legs, directory, truths

from cdrd.enrich.rules import SENTENCES
from cdrd.enrich.story import explain
from cdrd.records import Leg


def story(leg: Leg, call: Sequence[Leg]) -> list[str]:
    decided = {a.acctid: a for a in attribute_call(call, directory())}
    assert leg.acctid is not None
    return list(explain(leg, call, decided[leg.acctid], directory()))


def call_of(scenario: str, index: int) -> list[str]:
    """The story of the nth leg of a scenario of the captures."""
    legs = [truth.leg for truth in truths("main") if truth.scenario == scenario]
    leg = legs[index]
    return story(leg, [other for other in custom_legs("main") if other.linkedid == leg.linkedid])


def test_an_ordinary_call_is_told_in_full() -> None:
    assert call_of("outbound_local@globex", 0) == [
        (
            "company globex: the calling channel PJSIP/globex-101-00000020 is an endpoint of globex"
            " (rule calling-endpoint)"
        ),
        "bill_to globex: the leg is globex's (rule company-pays)",
        "direction outbound: the far end is outside (rule far-end-outside)",
        (
            "src_ext 101: the calling channel PJSIP/globex-101-00000020 is an endpoint of globex"
            " (rule calling-endpoint)"
        ),
        (
            "dial_short 79460653: 979460653, without the prefix for an outside line"
            " (rule keyed-for-outside)"
        ),
        (
            "dial_full 02079460653: the number in full, as it was sent over the trunk"
            " (rule number-in-full)"
        ),
        "trunk trunk-beta: the trunk that carried it, or was tried last (rule trunk-out)",
    ]


def test_a_transfer_names_the_transferrer() -> None:
    lines = call_of("blind_xfer_external_refer@acme", 1)

    assert lines[0] == (
        "company acme: PJSIP/acme-102 (extension 102 of acme) handed the call on (rule transferrer)"
    )
    assert any(
        line.startswith("xfer 102: PJSIP/acme-102 (extension 102 of acme)") for line in lines
    )


def test_a_forwarded_call_names_who_forwards() -> None:
    (line, *_) = [
        line
        for index in (0, 1)
        for line in call_of("forward_dialplan_external@acme", index)
        if line.startswith("src_ext 105")
    ]

    assert line == "src_ext 105: extension 105 of acme forwards its calls (rule forwarder)"


def test_a_leg_that_is_nobodys_says_why() -> None:
    lines = call_of("inbound_unknown_did@acme", 0)

    assert lines[-1] == (
        "company unknown: nothing in the directory owns any part of the leg (reason no_match)"
    )


def test_what_cannot_be_known_is_said_to_be_so() -> None:
    lines = call_of("attended_xfer_external@acme", 2)

    assert "dial_short unknown: the legs at hand cannot tell (rule keyed-to-consult)" in lines


@pytest.mark.parametrize("capture", ["main", "worked"])
def test_every_decision_is_told_with_its_evidence(capture: str) -> None:
    for kind in INPUTS:
        for call in calls(capture, kind):
            for attribution in attribute_call(call.legs, directory(), call.events):
                (leg,) = (leg for leg in call.legs if leg.acctid == attribution.acctid)
                lines = list(explain(leg, call.legs, attribution, directory(), call.events))
                rules = json.loads(attribution.rules)
                assert len(rules) + (attribution.reason is not None) == len(lines)
                assert not any("(no " in line for line in lines), lines


def test_no_text_of_a_record_steers_the_terminal() -> None:
    hostile = "\x1b[2J\x07\u202e{company}{0}%s\n\r\udcff"
    leg = custom_legs("main")[0]._replace(
        channel=f"PJSIP/acme-101{hostile}-0001",
        src=hostile,
        dst=hostile,
        dcontext=f"acme-{hostile}",
        lastdata=hostile,
        accountcode="acme",
        userfield=f"did:{hostile}",
        lastapp="Playback",
        dstchannel="",
    )
    lines = story(leg, [leg])

    assert lines
    assert all(line.isprintable() for line in lines)


def test_an_attribution_of_an_older_version_can_still_be_told() -> None:
    leg = custom_legs("main")[0]
    (found,) = attribute_call([leg], directory())
    older = found._replace(rules='{"company":"some-rule-of-old"}', bill_to=None)

    lines = list(explain(leg, [leg], older, directory()))

    assert lines[0] == (
        "company acme: decided by a rule of another version of cdrd (rule some-rule-of-old)"
    )
    assert "direction internal: no rule is recorded" in lines


def test_without_a_directory_the_reason_is_told() -> None:
    leg = custom_legs("main")[0]
    (found,) = attribute_call([leg], None)

    assert list(explain(leg, [leg], found, None)) == [
        "company unknown: no directory has been applied (reason no_directory)"
    ]


@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_a_rules_name_is_made_of_words(name: str) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
