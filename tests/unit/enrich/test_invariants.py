"""What may not change a decision, and what no text in a record may bring about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.truth import (
    COMPANIES,
    INPUTS,
    attribute_call,
    attributions,
    calls,
    custom_legs,
    directory,
)

from cdrd.beside import CelEvent
from cdrd.enrich import rules
from cdrd.enrich.attribution import decided_views
from cdrd.enrich.companies import load_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import PartyKind
from cdrd.enrich.grouping import calls_of
from cdrd.enrich.rules import Rule
from cdrd.records import AcctId, Attribution, CompanyId, Leg

FEW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = st.from_regex(r"[A-Za-z0-9_.]{1,20}", fullmatch=True)
MANY = settings(max_examples=100, deadline=None)


def _decided(
    legs: Sequence[Leg], of: Directory, events: Sequence[CelEvent] = ()
) -> dict[int, Attribution]:
    calls = calls_of(legs, events)
    return {a.acctid: a for call in calls for a in attribute_call(call.legs, of, call.events)}


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("capture", ["main", "worked", "onward"])
def test_the_order_in_which_legs_and_events_arrive_decides_nothing(capture: str, kind: str) -> None:
    random = Random(1)
    for call in calls(capture, kind):
        legs, events = call.legs, call.events
        if len(legs) > 1 or events:
            record = decide_call(legs, directory(capture), events).record
            shuffled = random.sample(legs, len(legs)), random.sample(events, len(events))
            decided = decide_call(shuffled[0], directory(capture), shuffled[1])
            assert record == decided.record
            for attribution in decided.attributions:
                assert attribution == attributions(capture, kind)[attribution.acctid]


def _rules() -> list[Rule[Any]]:
    """Those that are not asked of every leg."""
    modules = [import_module(f"{rules.__name__}.{m.name}") for m in iter_modules(rules.__path__)]
    found = {r.name: r for m in modules for r in vars(m).values() if isinstance(r, Rule) and r.only}
    return list(found.values())


@pytest.mark.parametrize("kind", INPUTS)
def test_what_a_rule_is_not_asked_of_it_could_not_decide(kind: str) -> None:
    """Legs of which nothing more is known, of which no event tells, for which nothing was noted."""
    spared = [(r, {*r._replace(only=None).sorts()}.difference(r.sorts())) for r in _rules()]
    assert len(spared) > 40
    for capture in ("main", "worked", "onward"):
        for call in calls(capture, kind):
            for view in decided_views(call.legs, directory(capture), call.events):
                for one, sorts in spared:
                    if view.sort in sorts:
                        assert one.decide(view) is None, (one.name, view.leg)


@FEW
@given(days=st.integers(-9000, 9000), seconds=st.integers(0, 86399))
def test_the_time_of_a_call_decides_nothing(days: int, seconds: int) -> None:
    """As long as the directory has no dates."""
    by = timedelta(days=days, seconds=seconds)
    times = ("calldate", "answerdate", "enddate")

    def later(leg: Leg) -> Leg:
        moved = {name: at + by for name in times if (at := getattr(leg, name)) is not None}
        return leg._replace(**moved)

    moved = _decided([later(leg) for leg in custom_legs("main")], directory())

    assert moved == attributions("main", "cdr_custom")


@FEW
@given(
    names=st.lists(
        st.from_regex(r"[A-Za-z0-9_.]{1,20}", fullmatch=True), min_size=3, max_size=3, unique=True
    )
)
def test_the_names_of_companies_decide_nothing(names: list[str]) -> None:
    content = load_companies(COMPANIES)
    renamed = dict(zip([c.company for c in content.companies], map(CompanyId, names), strict=True))

    def new(company: str | None) -> str | None:
        return renamed.get(CompanyId(company)) if company else None

    version = content.as_version(1)
    companies = [replace(c, company=renamed[c.company]) for c in version.companies]
    entries = [
        e._replace(company=renamed.get(e.company) if e.company else None) for e in version.entries
    ]
    other = Directory.compile(replace(version, companies=companies, entries=entries))

    found = _decided(custom_legs("main"), other)

    for acctid, was in attributions("main", "cdr_custom").items():
        full = was.dial_full
        for company, name in renamed.items():
            if full and full.startswith(f"{company}-") and full not in QUEUES:
                full = f"{name}-{full.removeprefix(f'{company}-')}"
                break
        assert found[acctid] == was._replace(
            company=new(was.company),
            target=new(was.target),
            bill_to=new(was.bill_to),
            dial_full=full,
        )


QUEUES = ("acme-support", "globex-sales")


STRANGE = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        (
            *("", "s", "101", "acme", "globex-101", ">101", "*8102", "-", ";", "did:01908555101"),
            *("auth:102", "907700900123", "+441908555101", "acme-internal", "Local/", "PJSIP/"),
            *("PJSIP/acme-102,4,tT", "PJSIP/01632960111@trunk-alpha,30", "\x00", "\udcff\u202e"),
        )
    ),
)
CHANNELS = st.one_of(
    STRANGE,
    st.sampled_from(
        [
            f"Local/{exten}@acme-internal-0{n};{half}"
            for exten in ("1", "102")
            for n in "12"
            for half in "12"
        ]
        + [
            f"PJSIP/{name}-0{n}"
            for name in ("acme-101", "globex-101", "trunk-alpha", "x")
            for n in "12"
        ]
    ),
)
APPS = st.sampled_from(
    (
        "Dial",
        "Queue",
        "AppDial",
        "AppDial2",
        "Park",
        "ParkedCall",
        "ConfBridge",
        "VoiceMail",
        "Hangup",
        "",
    )
)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


@st.composite
def strange_legs(draw: st.DrawFn) -> Leg:
    """A leg in which every text is whatever a hostile caller, carrier or dialplan makes it."""
    start = BEGIN + timedelta(seconds=draw(st.integers(0, 3)))
    length = draw(st.integers(0, 3))
    return Leg(
        calldate=start,
        answerdate=draw(st.sampled_from((None, start))),
        enddate=draw(st.sampled_from((None, start + timedelta(seconds=length)))),
        clid=draw(STRANGE),
        src=draw(STRANGE),
        dst=draw(STRANGE),
        dcontext=draw(STRANGE),
        channel=draw(CHANNELS),
        dstchannel=draw(CHANNELS),
        lastapp=draw(APPS),
        lastdata=draw(STRANGE),
        duration=length,
        billsec=draw(st.integers(0, length)),
        disposition=draw(st.sampled_from(("ANSWERED", "NO ANSWER", "FAILED"))),
        amaflags=3,
        accountcode=draw(STRANGE),
        uniqueid=draw(st.sampled_from((None, "1.1", "1.2"))),
        linkedid="1.1",
        sequence=draw(st.sampled_from((None, 1, 2, 3))),
        peeraccount=draw(STRANGE),
        userfield=draw(st.one_of(st.none(), STRANGE)),
        extra=draw(
            st.sampled_from((None, {"authuser": "102"}, {"dialfull": "x", "did": "01908555101"}))
        ),
    )


@MANY
@given(
    legs=st.lists(strange_legs(), min_size=1, max_size=9), random=st.randoms(use_true_random=False)
)
def test_no_record_is_too_strange_to_be_decided(legs: list[Leg], random: Random) -> None:
    """One decision a leg, of a company that exists or with a reason, whatever the order of arrival."""
    numbered = [leg._replace(acctid=AcctId(n)) for n, leg in enumerate(legs, 1)]
    decided = attribute_call(numbered, directory())

    assert [a.acctid for a in decided] == [leg.acctid for leg in numbered]
    for attribution in decided:
        assert (attribution.company is None) == (attribution.reason is not None)
        assert attribution.company in (None, *directory().companies)
        assert attribution.bill_to is None or attribution.company is not None
    shuffled = attribute_call(random.sample(numbered, len(numbered)), directory())
    assert sorted(map(repr, decided)) == sorted(map(repr, shuffled))


def test_a_long_chain_of_local_channels_is_cut_and_not_followed_for_ever() -> None:
    """Each leg dials the next one's Local channel, and the last one the first's."""
    plain = custom_legs("main")[0]._replace(uniqueid=None, sequence=None, linkedid="1.1")
    legs = [
        plain._replace(
            acctid=AcctId(n + 1),
            channel=f"Local/x@y-{n:08x};2",
            dstchannel=f"Local/x@y-{(n + 1) % 1500:08x};1",
        )
        for n in range(1500)
    ]

    assert len(attribute_call(legs, directory())) == 1500


def test_a_channel_with_very_many_legs_is_decided() -> None:
    """A caller who waits in a queue for an hour has thousands of legs on one channel."""
    plain = custom_legs("main")[0]
    legs = [
        plain._replace(
            acctid=AcctId(n + 1),
            calldate=plain.calldate + timedelta(seconds=n),
            sequence=n,
            dstchannel="",
            disposition="NO ANSWER",
        )
        for n in range(2000)
    ]

    assert {"acme"} == {a.company for a in attribute_call(legs, directory())}


@pytest.mark.parametrize(
    "forged", ["acme", "globex", "globex-101", "default", ">101", "", "x" * 79]
)
def test_an_account_code_takes_no_leg_from_the_owner_of_its_channel(forged: str) -> None:
    """Whoever keys, dials or sends an account code stays who the channel says."""
    for kind in INPUTS:
        for leg in INPUTS[kind].legs("main"):
            party = directory().on("").party(leg.channel, leg.calldate)
            if party.kind is not PartyKind.STATION or leg.dstchannel.startswith("Local/"):
                continue
            (was,) = attribute_call([leg], directory())
            (now,) = attribute_call([leg._replace(accountcode=forged)], directory())
            assert (was.company, was.bill_to) == (now.company, now.bill_to)


@pytest.mark.parametrize("code", ["acme", "globex", "globex-101", "default", ">101"])
def test_an_account_code_alone_makes_no_leg_a_companys(code: str) -> None:
    """A company that owns no other part of the leg is not charged for it."""
    leg = custom_legs("main")[0]._replace(
        channel="Local/555@lab-00000012;2",
        dstchannel="",
        src="555",
        dst="setall",
        dcontext="lab",
        lastapp="Hangup",
        lastdata="",
        accountcode=code,
        peeraccount=code,
    )

    (found,) = attribute_call([leg], directory())

    assert (found.company, found.bill_to, found.reason) == (None, None, "no_match")
