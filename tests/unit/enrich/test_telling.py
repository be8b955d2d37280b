"""A call's story, in words."""

from __future__ import annotations

import textwrap
from datetime import timedelta

from support.legs import START, leg
from support.truth import calls, directory

from cdrd.beside import CelEvent
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.telling import Moment, moments, summary
from cdrd.records import AcctId

HOSTILE = "\x1b[31mred\u202e\r\n{0}%s" + "long" * 50


def story(capture: str, name: str) -> list[Moment]:
    """What is told of the captured call that a linkedid names."""
    [call] = [call for call in calls(capture, "cdr_custom and cel") if name in str(call.legs)]
    decided = decide_call(call.legs, directory(), call.events)
    assert decided.record is not None
    attributions = {one.acctid: one for one in decided.attributions}
    return moments(call.legs, call.events, decided.record.legs, attributions)


def test_legs_and_events_are_told_in_the_order_of_time_with_rules_and_results() -> None:
    told = story("main", "1795285775.522")

    assert sorted(moment.at for moment in told) == [moment.at for moment in told]
    texts = [moment.text for moment in told]
    picked_up = "PJSIP/acme-103-000000c0 picks up what rings at PJSIP/acme-102-000000bf"
    assert texts.index("PJSIP/acme-101-000000be begins with 102") < texts.index(picked_up)
    [answered] = [moment for moment in told if moment.text == "leg 159: 101 → 102, ANSWERED"]
    assert "its part: answered, ended: CALLEE_DISCONNECTED" in answered.details
    assert "company acme (calling-endpoint)" in answered.details
    assert texts[-1] == "the call 1795285775.522 is over"


def test_every_captured_call_can_be_told_and_fits_a_terminal() -> None:
    for call in calls("main", "cdr_custom and cel"):
        decided = decide_call(call.legs, directory(), call.events)
        assert decided.record is not None
        attributions = {one.acctid: one for one in decided.attributions}
        told = moments(call.legs, call.events, decided.record.legs, attributions)
        texts = [text for moment in told for text in (moment.text, *moment.details)]
        lines = [line for text in texts for line in textwrap.wrap(text, 62, break_long_words=False)]

        assert len([text for text in texts if text.startswith("leg ")]) == len(call.legs)
        assert max(map(len, lines)) <= 62
        assert "\n" not in "".join((*texts, *summary(decided.record)))


def test_nothing_that_a_caller_wrote_steers_the_terminal() -> None:
    one = leg("1.0", acctid=AcctId(1), clid=f'"{HOSTILE}" <{HOSTILE}>', src=HOSTILE, dst=HOSTILE)
    one = one._replace(channel=HOSTILE, dstchannel=HOSTILE, lastapp=HOSTILE, lastdata=HOSTILE)
    extra = dict.fromkeys(
        ("hangupcause", "hangupsource", "transferee_channel_name", "extension", "forward", "digit"),
        HOSTILE,
    )
    kinds = ("CHAN_START", "APP_START", "HANGUP", "BLINDTRANSFER", "FORWARD", "DTMF", HOSTILE)
    events = [
        CelEvent(START + timedelta(seconds=n), kind, "1.0", HOSTILE, HOSTILE, HOSTILE, extra=extra)
        for n, kind in enumerate((*kinds, "PICKUP", "PARK_START", "PARK_END", "USER_DEFINED"))
    ]
    decided = decide_call([one], directory(), events)
    assert decided.record is not None
    attributions = {a.acctid: a for a in decided.attributions}
    told = moments([one], events, decided.record.legs, attributions)
    texts = [text for moment in told for text in (moment.text, *moment.details)]

    assert all(text.isprintable() for text in (*texts, *summary(decided.record)))
    assert len(told) == len(events) + 1
