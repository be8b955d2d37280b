"""Calls that no capture holds, written as Asterisk would: who answers for them, and who pays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.truth import attribute_call

from cdrd.enrich.companies import parse_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.records import AcctId, Attribution, Leg
from cdrd.yamlfile import read_yaml

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

COMPANIES = """
dialling: {country_code: "44", national_prefix: "0", international_prefix: "00"}
outside_prefixes: ["9"]
trunks: [PJSIP/carrier, "DAHDI/*"]
feature_codes: {pickup: ["*8{ext}"], voicemail: ["*97"], park_slots: [701-709]}
companies:
  north:
    contexts: [north-*]
    endpoints: ["PJSIP/north-{ext}"]
    extensions: [100-199]
    dids: [{number: "01908555101", extension: "101"}, "01908555102"]
  south:
    contexts: [south-*]
    endpoints: ["PJSIP/south-{ext}"]
    extensions: [100-199]
    dids: [{number: "02079460101", extension: "101"}]
  house:
    default: true
    extensions: ["500-509"]
"""


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return compiled(COMPANIES, tmp_path)


def compiled(text: str, tmp_path: Path) -> Directory:
    path = tmp_path / "companies.yaml"
    path.write_text(text)
    content, problems = parse_companies(read_yaml(path))
    assert problems == []
    return Directory.compile(content.as_version(1))


def leg(channel: str, dstchannel: str = "", /, **columns: Any) -> Leg:
    """A leg that Dial()ed from `start` to `end` seconds after nine o'clock, answered but for `rang`."""
    start, end = columns.pop("start", 0), columns.pop("end", 10)
    rang = columns.pop("rang", False)
    begin, over = BEGIN + timedelta(seconds=start), BEGIN + timedelta(seconds=end)
    texts = {"src": "", "dst": "", "dcontext": "", "clid": "", "lastdata": "", "accountcode": ""}
    found = {
        **texts,
        "lastapp": "Dial",
        "answerdate": None if rang else begin,
        "billsec": 0 if rang else end - start,
        "disposition": "NO ANSWER" if rang else "ANSWERED",
        "uniqueid": f"1772442000.{sum(map(ord, channel))}",
        "linkedid": "1772442000.1",
        "sequence": None,
        "peeraccount": None,
        "userfield": None,
        **columns,
    }
    return Leg(
        calldate=begin,
        enddate=over,
        channel=channel,
        dstchannel=dstchannel,
        duration=end - start,
        amaflags=3,
        **found,
    )


def decided(directory: Directory, *legs: Leg) -> Sequence[Attribution]:
    return attribute_call(legs, directory)


def shown(attribution: Attribution) -> dict[str, Any]:
    """What is filled, without the rules."""
    unsaid = {"acctid": AcctId(0), "rules": attribution.rules}
    return {k: v for k, v in attribution._asdict().items() if v and unsaid.get(k) != v}


CALL = {"dcontext": "north-in", "src": "101"}


def test_the_caller_who_transfers_answers_for_the_call(directory: Directory) -> None:
    """101 calls 102, and hands 102 on to 103: the second leg begins with 102's channel."""
    first = leg(
        "PJSIP/north-101-01", "PJSIP/north-102-02", dst="102", lastdata="PJSIP/north-102", **CALL
    )
    second = leg(
        "PJSIP/north-102-02",
        "PJSIP/north-103-03",
        **{"dst": "103", "lastdata": "PJSIP/north-103", "start": 10, "end": 20, **CALL},
    )

    _, moved = decided(directory, first, second)

    assert (moved.company, moved.src_ext, moved.xfer) == ("north", "101", "101")
    assert (moved.dial_short, moved.dial_full) == ("103", "north-103")


def test_an_outside_caller_who_is_transferred_inside_is_the_transferrers_call(
    directory: Directory,
) -> None:
    first = leg(
        "PJSIP/carrier-01",
        "PJSIP/north-101-02",
        src="01632960777",
        dst="103",
        dcontext="north-in",
        lastdata="PJSIP/north-101,20,tT",
        userfield="did:01908555101",
    )
    second = leg(
        "PJSIP/carrier-01",
        "PJSIP/north-103-03",
        src="01632960777",
        dst="103",
        dcontext="north-in",
        start=10,
        end=20,
        lastdata="PJSIP/north-103,20,tT",
        userfield="did:01908555101",
    )

    before, after = decided(directory, first, second)

    assert (before.direction, before.dial_short, before.dial_full) == (
        "inbound",
        "101",
        "01908555101",
    )
    assert (before.trunk, before.xfer, before.src_ext) == ("carrier", None, None)
    assert (after.direction, after.src_ext, after.xfer) == ("internal", "101", "101")
    assert (after.dial_short, after.dial_full, after.trunk) == ("103", "north-103", None)


def test_a_transfer_between_companies_is_paid_by_the_transferrers(directory: Directory) -> None:
    """South calls north's number, and north hands it on to the outside."""
    first = leg(
        "PJSIP/south-101-01",
        "PJSIP/north-101-02",
        src="101",
        dst="907700900123",
        dcontext="north-in",
        accountcode="south",
        lastdata="PJSIP/north-101,20",
        userfield="did:01908555101",
    )
    second = leg(
        "PJSIP/south-101-01",
        "PJSIP/carrier-03",
        src="101",
        dst="907700900123",
        dcontext="north-in",
        accountcode="south",
        start=10,
        end=90,
        lastdata="PJSIP/07700900123@carrier",
    )

    before, after = decided(directory, first, second)

    assert (before.direction, before.company, before.target) == ("onnet", "south", "north")
    assert (before.dial_short, before.bill_to) == ("01908555101", "south")
    assert (after.direction, after.company, after.bill_to) == ("outbound", "north", "north")
    assert (after.src_ext, after.dial_short, after.dial_full) == (
        "101",
        "07700900123",
        "07700900123",
    )


def test_who_forwards_pays_for_the_way_out_and_not_who_called(directory: Directory) -> None:
    """Another company's call to an extension that the dialplan forwards; the account code is inherited."""
    called = leg(
        "PJSIP/south-102-01",
        "Local/907700900555@north-in-0a;1",
        src="102",
        dst="105",
        dcontext="north-in",
        accountcode="south",
        lastdata="Local/907700900555@north-in/n,20",
    )
    onward = leg(
        "Local/907700900555@north-in-0a;2",
        "PJSIP/carrier-03",
        src="102",
        dst="907700900555",
        dcontext="north-in",
        accountcode="south",
        lastdata="PJSIP/07700900555@carrier,30",
    )

    first, second = decided(directory, called, onward)

    assert (first.company, first.target, first.direction) == ("south", "north", "onnet")
    assert (second.company, second.bill_to, second.src_ext) == ("north", "north", "105")
    assert (second.dial_short, second.direction) == ("07700900555", "outbound")


@pytest.mark.parametrize("context", ["north-in", "from-telephones"])
def test_a_forward_to_a_colleague_is_the_forwarding_extensions(
    directory: Directory, context: str
) -> None:
    """Where the directory does not have the context, it is the caller's plan that was dialled in."""
    own = {**CALL, "dcontext": context}
    called = leg(
        "PJSIP/north-101-01",
        f"Local/103@{context}-0a;1",
        **{"dst": "105", "lastdata": f"Local/103@{context}/n,20", **own},
    )
    onward = leg(
        f"Local/103@{context}-0a;2",
        "PJSIP/north-103-03",
        **{"dst": "103", "lastdata": "PJSIP/north-103,20", **own},
    )

    first, second = decided(directory, called, onward)

    assert (first.src_ext, first.dial_short, first.dial_full) == ("101", "105", "north-105")
    assert (second.src_ext, second.dial_short, second.dial_full) == ("105", "103", "north-103")


def test_a_local_channel_of_the_dialplans_own_changes_nothing(directory: Directory) -> None:
    """An extension that is dialled through a Local channel to the same extension is not forwarded."""
    called = leg(
        "PJSIP/north-101-01",
        "Local/103@north-phones-0a;1",
        **{"dst": "103", "lastdata": "Local/103@north-phones/n,20", **CALL},
    )
    onward = leg(
        "Local/103@north-phones-0a;2",
        "PJSIP/north-103-03",
        src="101",
        dst="103",
        dcontext="north-phones",
        lastdata="PJSIP/north-103,20",
    )

    assert [a.src_ext for a in decided(directory, called, onward)] == ["101", "101"]
    assert [a.dial_short for a in decided(directory, called, onward)] == ["103", "103"]


def test_a_call_that_goes_on_after_the_called_party_hung_up_was_not_transferred(
    directory: Directory,
) -> None:
    """Option g of Dial(): the dialplan goes on, here to a survey."""
    talk = leg(
        "PJSIP/north-101-01",
        "PJSIP/north-102-02",
        **{"dst": "102", "lastdata": "PJSIP/north-102,20,g", **CALL},
    )
    survey = leg(
        "PJSIP/north-101-01",
        "PJSIP/north-150-03",
        **{"dst": "102", "lastdata": "PJSIP/north-150,20", "start": 10, "end": 20, **CALL},
    )

    assert [a.xfer for a in decided(directory, talk, survey)] == [None, None]


def test_telephones_that_ring_one_after_the_other_were_not_transferred(
    directory: Directory,
) -> None:
    legs = [
        leg(
            "PJSIP/north-101-01",
            f"PJSIP/north-{extension}-0{extension}",
            **{"dst": "190", "lastdata": f"PJSIP/north-{extension},5", **CALL},
            start=start,
            end=start + 5,
            rang=extension != "104",
        )
        for start, extension in ((0, "102"), (5, "103"), (10, "104"))
    ]

    found = decided(directory, *legs)

    assert [a.xfer for a in found] == [None] * 3
    assert [a.src_ext for a in found] == ["101"] * 3
    assert not any(a.is_pick or a.is_bounce for a in found)


def test_a_queue_that_tries_its_members_again_is_no_transfer(directory: Directory) -> None:
    tries = [
        leg(
            "PJSIP/carrier-01",
            f"PJSIP/north-{extension}-0{n}",
            src="01632960777",
            dst="180",
            dcontext="north-in",
            lastapp="Queue",
            lastdata="help,t,,,30",
            start=start,
            end=end,
            rang=n != 4,
            userfield="did:01908555102",
        )
        for n, extension, start, end in ((2, "102", 0, 3), (3, "103", 0, 3), (4, "102", 4, 9))
    ]

    found = decided(directory, *tries)

    assert [(a.xfer, a.direction, a.dial_short, a.dial_full) for a in found] == [
        (None, "inbound", "180", "01908555102")
    ] * 3


def test_the_member_who_answers_just_too_late_has_not_answered_the_call(
    directory: Directory,
) -> None:
    """Both telephones answer behind their Local channels; the queue has taken one of these."""
    waits = {**CALL, "dst": "180", "lastapp": "Queue", "lastdata": "support"}
    behind = {"src": "101", "dcontext": "north-agents", "lastdata": "PJSIP/north-102,10"}
    late, taken = "Local/102@north-agents-00000008", "Local/103@north-agents-00000009"
    legs = [
        leg(f"{late};2", "PJSIP/north-102-04", **{**behind, "dst": "102", "start": 1, "end": 1}),
        leg("PJSIP/north-101-01", f"{late};1", **{**waits, "rang": True, "end": 1}),
        leg("PJSIP/north-101-01", f"{taken};1", **{**waits, "start": 1, "end": 3}),
        leg(f"{taken};2", "PJSIP/north-103-05", **{**behind, "dst": "103", "start": 1, "end": 3}),
    ]
    legs = [one._replace(acctid=AcctId(number)) for number, one in enumerate(legs, 1)]

    record = decide_call(legs, directory).record

    assert record is not None
    assert (record.caller, record.answered_by, record.talk_seconds) == ("101", "103", 2)


def test_the_number_of_a_queues_member_outside_is_not_the_queues(directory: Directory) -> None:
    """No row says which number was called over the trunk."""
    queue = {"src": "101", "dst": "180", "dcontext": "north-in", "lastapp": "Queue"}

    (found,) = decided(
        directory, leg("PJSIP/north-101-01", "PJSIP/carrier-02", lastdata="help,t,,,30", **queue)
    )

    assert (found.direction, found.trunk, found.bill_to) == ("outbound", "carrier", "north")
    assert (found.dial_short, found.dial_full) == ("180", None)


def test_a_queue_agent_who_hands_the_caller_on_is_the_transferrer(directory: Directory) -> None:
    queue = {"src": "01632960777", "dst": "180", "dcontext": "north-in", "lastapp": "Queue"}
    talk = leg("PJSIP/carrier-01", "PJSIP/north-102-02", lastdata="help,t,,,30", **queue)
    attended = leg(
        "PJSIP/carrier-01", "PJSIP/north-105-09", lastdata="help,t,,,30", start=10, end=30, **queue
    )

    _, after = decided(directory, talk, attended)

    assert (after.src_ext, after.xfer, after.dial_short) == ("102", "102", "105")


def test_voicemail_after_a_transfer_is_the_transferrers(directory: Directory) -> None:
    talk = leg(
        "PJSIP/north-101-01",
        "PJSIP/north-102-02",
        **{"dst": "103", "lastdata": "PJSIP/north-102,20", **CALL},
    )
    rang = leg(
        "PJSIP/north-101-01",
        "PJSIP/north-103-03",
        dst="103",
        lastdata="PJSIP/north-103,20",
        start=10,
        end=20,
        rang=True,
        **CALL,
    )
    message = leg(
        "PJSIP/north-101-01",
        **{"dst": "103", "lastapp": "VoiceMail", "lastdata": "103@north,u", **CALL},
        start=20,
        end=40,
    )

    found = decided(directory, talk, rang, message)

    assert [a.xfer for a in found] == [None, "102", "102"]
    assert [a.dial_full for a in found] == ["north-102", "north-103", "north-103"]
    assert [a.dial_short for a in found] == ["102", "103", "103"]


def test_a_station_dials_out_by_a_group_of_lines(directory: Directory) -> None:
    """A DAHDI line has another name than the group that was dialled; nobody was picked up."""
    (found,) = decided(
        directory,
        leg(
            "PJSIP/north-101-01",
            "DAHDI/i1/01632960111-2",
            **{"dst": "901632960111", "lastdata": "DAHDI/g1/01632960111,30", **CALL},
        ),
    )

    assert (found.direction, found.src_ext, found.dial_short) == ("outbound", "101", "01632960111")
    assert not found.is_pick


@pytest.mark.parametrize(
    ("dst", "sent", "keyed", "full"),
    [
        ("901632960111", "01632960111", "01632960111", "01632960111"),
        ("01632960111", "01632960111", "01632960111", "01632960111"),
        ("9999", "999", "999", "999"),
        ("999", "999", "999", "999"),
        ("900441632960111", "+441632960111", "00441632960111", "01632960111"),
        ("+33145678901", "0033145678901", "+33145678901", "0033145678901"),
        ("90033145678901", "77#0033145678901", "0033145678901", "0033145678901"),
        ("912345", "0190812345", "12345", "0190812345"),
    ],
)
def test_the_prefix_is_taken_off_where_it_still_is(
    directory: Directory, dst: str, sent: str, keyed: str, full: str
) -> None:
    """The number that was sent tells whether the 9 in dst is a prefix or the number's own."""
    (found,) = decided(
        directory,
        leg(
            "PJSIP/north-101-01",
            "PJSIP/carrier-02",
            **{"dst": dst, "lastdata": f"PJSIP/{sent.removeprefix('77#')}@carrier,30", **CALL},
        ),
    )

    assert (keyed, full) == (found.dial_short, found.dial_full)


@pytest.mark.parametrize(
    ("prefix", "dst", "sent", "keyed"),
    [
        ("8", "8653003", "01908653003", "653003"),
        ("8", "653003", "01908653003", "653003"),
        ("0", "001632960111", "01632960111", "01632960111"),
        ("0", "01632960111", "01632960111", "01632960111"),
        ("0", "00033145678901", "0033145678901", "0033145678901"),
        ("0", "01632960111", "", "01632960111"),
        ("0", "001632960111", "", "01632960111"),
    ],
)
def test_a_prefix_may_be_a_digit_that_numbers_begin_with(
    tmp_path: Path, prefix: str, dst: str, sent: str, keyed: str
) -> None:
    """What is left must be the number that was sent, and not only end as it does."""
    own = f"""outside_prefixes: ["{prefix}"]
    dialling: {{area_code: "01908", local_digits: ["6"]}}"""
    contexts = "contexts: [north-*]"
    site = compiled(COMPANIES.replace(contexts, f"{contexts}\n    {own}"), tmp_path)
    tried = {"lastdata": f"PJSIP/{sent}@carrier,30"} if sent else {"lastapp": "Congestion"}
    reached = "PJSIP/carrier-02" if sent else ""
    (found,) = decided(site, leg("PJSIP/north-101-01", reached, **{**CALL, "dst": dst, **tried}))

    assert found.dial_short == keyed


def test_a_pin_from_outside_makes_the_call_its_owners(directory: Directory) -> None:
    (found,) = decided(
        directory,
        leg(
            "PJSIP/carrier-01",
            "PJSIP/carrier-02",
            src="07700900999",
            dst="901632960111",
            dcontext="north-in",
            lastdata="PJSIP/01632960111@carrier",
            userfield="auth:107",
        ),
    )

    assert (found.company, found.src_ext, found.auth, found.is_auth) == (
        "north",
        "107",
        "107",
        True,
    )
    assert (found.direction, found.trunk) == ("outbound", "carrier")


def test_calls_by_endpoints_nobody_listed_are_the_house_companys(directory: Directory) -> None:
    (found,) = decided(
        directory,
        leg(
            "PJSIP/lobby-01",
            "PJSIP/carrier-02",
            src="500",
            dst="901632960111",
            lastdata="PJSIP/01632960111@carrier",
        ),
    )

    assert (found.company, found.src_ext, found.bill_to) == ("house", "500", "house")


def test_the_number_called_gives_the_caller_no_company(directory: Directory) -> None:
    """The dialplan of north's numbers gives its account code to each call that has none."""
    (found,) = decided(
        directory,
        leg(
            "PJSIP/lobby-01",
            "PJSIP/north-101-02",
            src="500",
            dst="101",
            dcontext="north-in",
            lastdata="PJSIP/north-101,20",
            userfield="did:01908555101",
            accountcode="north",
        ),
    )

    assert (found.company, found.src_ext, found.bill_to) == ("house", "500", "house")
    assert (found.direction, found.target) == ("onnet", "north")


def test_trunks_nobody_listed_are_seen_by_the_numbers_they_are_given(tmp_path: Path) -> None:
    """With no more than one company in the file, calls out and in are told from calls inside."""
    only = compiled("companies: {mine: {default: true}}", tmp_path)
    inside = leg("SIP/201-01", "SIP/202-02", src="201", dst="202", lastdata="SIP/202,20")
    out = leg(
        "SIP/201-01",
        "SIP/provider-02",
        src="201",
        dst="00441632960111",
        lastdata="SIP/provider/00441632960111",
    )
    in_ = leg("SIP/provider-01", "SIP/201-02", src="01632960777", dst="201", lastdata="SIP/201")

    found = [decided(only, one)[0] for one in (inside, out, in_)]

    assert [a.company for a in found] == ["mine"] * 3
    assert [a.direction for a in found] == ["internal", "outbound", "inbound"]
    assert [a.trunk for a in found] == [None, "provider", "provider"]


@pytest.mark.parametrize(
    ("pays", "payer"),
    [
        ("{}", "north"),
        ("{outbound: south}", "south"),
        ("{forward: caller}", "south"),
        ("{forward: forwarder, outbound: south}", "north"),
        ("{forward: transferrer}", "north"),
    ],
)
def test_companies_can_say_who_pays_for_a_forwarded_call(
    tmp_path: Path, pays: str, payer: str
) -> None:
    """A role that nobody has in the call changes nothing."""
    text = COMPANIES.replace(
        "    contexts: [north-*]", f"    contexts: [north-*]\n    pays: {pays}"
    )
    called = leg(
        "PJSIP/south-102-01",
        "Local/907700900555@north-in-0a;1",
        src="102",
        dst="105",
        dcontext="north-in",
        lastdata="Local/907700900555@north-in/n,20",
    )
    onward = leg(
        "Local/907700900555@north-in-0a;2",
        "PJSIP/carrier-03",
        src="102",
        dst="907700900555",
        dcontext="north-in",
        lastdata="PJSIP/07700900555@carrier,30",
    )

    _, found = attribute_call([called, onward], compiled(text, tmp_path))

    assert ("north", payer) == (found.company, found.bill_to)


@pytest.mark.parametrize(
    ("pays", "payer"), [("{forward: caller}", "north"), ("{transfer: caller}", "south")]
)
def test_an_agreement_on_forwards_is_none_on_transfers(
    tmp_path: Path, pays: str, payer: str
) -> None:
    """South calls north by a Local channel, and north hands it on to the outside."""
    text = COMPANIES.replace(
        "    contexts: [north-*]", f"    contexts: [north-*]\n    pays: {pays}"
    )
    local = "Local/01908555101@public-0000000a"
    called = leg(
        "PJSIP/south-101-01",
        f"{local};1",
        src="101",
        dst="01908555101",
        end=40,
        lastdata="Local/01908555101@public/n",
    )
    talk = leg(
        f"{local};2",
        "PJSIP/north-101-02",
        src="101",
        dst="907700900123",
        dcontext="public",
        lastdata="PJSIP/north-101,20",
    )
    moved = leg(
        f"{local};2",
        "PJSIP/carrier-03",
        src="101",
        dst="907700900123",
        dcontext="north-in",
        start=10,
        end=40,
        lastdata="PJSIP/07700900123@carrier",
    )

    *_, found = attribute_call([called, talk, moved], compiled(text, tmp_path))

    assert ("north", payer, "101") == (found.company, found.bill_to, found.xfer)


def test_the_number_of_another_company_keeps_a_call_inside_though_it_was_dialled_as_an_outside_one(
    directory: Directory,
) -> None:
    """Nothing tells of the dialplan's look-up but the Local channel that it led to."""
    local = "Local/01908555102@public-0000000a"
    called = leg(
        "PJSIP/south-101-01",
        f"{local};1",
        src="101",
        dst="901908555102",
        dcontext="south-in",
        lastdata="Local/01908555102@public/n",
    )
    reached = leg(
        f"{local};2", "PJSIP/north-102-02", src="101", dst="102", lastdata="PJSIP/north-102"
    )

    found, _ = decided(directory, called, reached)

    assert (found.direction, found.company, found.target) == ("onnet", "south", "north")
    assert (found.dial_short, found.dial_full) == ("01908555102", "01908555102")


def test_whoever_calls_a_company_pays_not_for_its_way_out(directory: Directory) -> None:
    """South calls north's number, where a telephone and a number outside ring together."""
    call = {
        "src": "101",
        "dst": "180",
        "dcontext": "north-in",
        "lastdata": "PJSIP/north-102&PJSIP/07700900123@carrier",
        "userfield": "did:01908555102",
    }
    rang = leg("PJSIP/south-101-01", "PJSIP/north-102-02", rang=True, **call)
    answered = leg("PJSIP/south-101-01", "PJSIP/carrier-03", **call)

    inside, outside = decided(directory, rang, answered)

    assert (inside.direction, inside.company, inside.target) == ("onnet", "south", "north")
    assert (outside.direction, outside.company, outside.bill_to) == ("outbound", "north", "north")
    assert (outside.src_ext, outside.dial_full) == (None, "07700900123")


def test_a_caller_from_outside_is_handed_on_to_another_companys_number_and_stays_inside(
    tmp_path: Path,
) -> None:
    """It is the prefix of the company that hands on, not that of the PBX, which it keyed."""
    text = COMPANIES.replace(
        "    contexts: [south-*]", "    contexts: [south-*]\n    outside_prefixes: ['0']"
    )
    come = {"src": "01632960777", "dst": "001908555102", "dcontext": "south-in"}
    talk = leg("PJSIP/carrier-01", "PJSIP/south-101-02", lastdata="PJSIP/south-101", **come)
    moved = leg(
        "PJSIP/carrier-01",
        "Local/01908555102@public-0000000a;1",
        lastdata="Local/01908555102@public/n",
        start=10,
        end=20,
        **come,
    )

    _, found = attribute_call([talk, moved], compiled(text, tmp_path))

    assert (found.direction, found.company, found.target) == ("onnet", "south", "north")
    assert (found.bill_to, found.xfer, found.dial_full) == ("south", "101", "01908555102")


def test_without_a_directory_every_leg_says_so() -> None:
    (found,) = attribute_call([leg("PJSIP/north-101-01")], None)

    assert shown(found) == {"reason": "no_directory"}


def test_the_recording_is_what_cdr_custom_wrote(directory: Directory) -> None:
    (found,) = decided(
        directory,
        leg(
            "PJSIP/north-101-01",
            "PJSIP/north-102-02",
            **{"dst": "102", "lastdata": "PJSIP/north-102", **CALL},
            extra={"recordingfile": "2026/03/02/101.wav"},
        ),
    )

    assert found.call_rec == "2026/03/02/101.wav"


def test_an_extension_that_two_companies_have_names_neither(tmp_path: Path) -> None:
    """PJSIP/101 is nobody's endpoint, and both companies have a 101."""
    listed = COMPANIES.replace("    default: true\n", "")
    only = {"src": "101", "dst": "102", "lastdata": "PJSIP/102"}
    calls = [
        leg("PJSIP/101-01", "PJSIP/102-02", accountcode=code, **only) for code in ("", "south")
    ]

    found, told = (attribute_call([call], compiled(listed, tmp_path))[0] for call in calls)

    assert (found.company, found.reason) == (None, "ambiguous")
    assert (told.company, told.src_ext) == ("south", "101")


def test_a_call_belongs_to_who_owned_the_number_when_it_was_made(tmp_path: Path) -> None:
    moved = compiled(
        """
trunks: [PJSIP/carrier]
companies:
  old: {dids: [{number: "01908555101", until: "2026-03-02T09:00:00+00:00"}]}
  new: {dids: [{number: "01908555101", from: "2026-03-02T09:00:00+00:00"}]}
""",
        tmp_path,
    )
    calls = [
        leg("PJSIP/carrier-01", src="07700900999", dst="01908555101", start=s, end=9)
        for s in (-1, 0)
    ]

    assert [attribute_call([call], moved)[0].company for call in calls] == ["old", "new"]


def test_the_same_endpoint_on_two_pbxs_is_two_companies(tmp_path: Path) -> None:
    both = compiled(
        """
pbxs: {hq: {}, branch: {}}
companies:
  north: {pbx: hq, endpoints: ["PJSIP/{ext}"], extensions: [100-199]}
  south: {pbx: branch, endpoints: ["PJSIP/{ext}"], extensions: [100-199]}
""",
        tmp_path,
    )
    call = leg("PJSIP/101-01", "PJSIP/102-02", src="101", dst="102", lastdata="PJSIP/102")

    found = [attribute_call([call._replace(pbx=pbx)], both)[0] for pbx in ("hq", "branch", "")]

    assert [a.company for a in found] == ["north", "south", None]
    assert [a.dial_full for a in found] == ["north-102", "south-102", None]


@pytest.mark.parametrize("prefix", ["9", ""])
def test_another_companys_number_stays_on_the_pbx_with_the_prefix_or_without(
    directory: Directory, prefix: str
) -> None:
    """The dialplan calls it by a Local channel, and leaves in dst what was keyed, or takes the prefix off."""
    called = {"dst": f"{prefix}02079460101", "lastdata": "Local/02079460101@from-trunk/n,20"}
    end = "Local/02079460101@from-trunk-00000003"
    one = leg("PJSIP/north-101-01", f"{end};1", **{**CALL, **called})
    other = leg(
        f"{end};2",
        "PJSIP/south-101-02",
        **{**CALL, "dst": "02079460101", "lastdata": "PJSIP/south-101,20"},
    )

    found = decided(directory, one, other)

    assert [(a.direction, a.company, a.target) for a in found] == [("onnet", "north", "south")] * 2
    assert [(a.dial_short, a.dial_full) for a in found] == [("02079460101", "02079460101")] * 2


@pytest.mark.parametrize(("payer", "bill_to"), [("target", "south"), ("caller", "north")])
def test_the_called_company_may_pay_for_a_call_that_stays_on_the_pbx(
    tmp_path: Path, payer: str, bill_to: str
) -> None:
    text = COMPANIES.replace(
        "    contexts: [north-*]", f"    contexts: [north-*]\n    pays: {{onnet: {payer}}}"
    )
    call = leg(
        "PJSIP/north-101-01",
        "PJSIP/south-101-02",
        src="101",
        dst="02079460101",
        dcontext="public",
        lastdata="PJSIP/south-101,20",
    )

    (found,) = attribute_call([call], compiled(text, tmp_path))

    assert (found.direction, found.bill_to) == ("onnet", bill_to)
    assert (found.dial_short, found.dial_full) == ("02079460101", "02079460101")


def test_where_account_codes_are_trusted_they_decide_alone(tmp_path: Path) -> None:
    text = "trust_account_codes: true\ncompanies: {north: {account_codes: [n]}, south: {}}"
    trusting = compiled(text, tmp_path)
    call = leg("Local/1@x-01;2", src="5", dst="7", lastapp="Playback", accountcode="n")

    assert attribute_call([call], trusting)[0].company == "north"


def test_an_account_code_of_the_form_nnn_names_the_extension(tmp_path: Path) -> None:
    """Listed nowhere, it is that of the one company with such an extension, if the context is its own too."""
    text = "companies: {north: {contexts: [north-*], extensions: [100-199]}, south: {}}"
    calls = [
        leg("SIP/cordless-01", src="anonymous", dst="7", dcontext=context, accountcode=">150")
        for context in ("north-in", "public")
    ]

    inside, public = (attribute_call([call], compiled(text, tmp_path))[0] for call in calls)

    assert (inside.company, inside.src_ext) == ("north", "150")
    assert (public.company, public.src_ext, public.reason) == (None, None, "no_match")


def test_a_telephone_that_answers_moved_pays_for_where_it_moved(directory: Directory) -> None:
    """Where the telephone's redirect is followed without a Local channel, no row has the new number."""
    rang = leg(
        "PJSIP/south-101-01",
        "PJSIP/north-106-02",
        src="101",
        dst="106",
        dcontext="north-in",
        start=0,
        end=1,
        rang=True,
        lastdata="PJSIP/north-106,20",
    )
    onward = leg(
        "PJSIP/south-101-01",
        "PJSIP/carrier-03",
        src="101",
        dst="106",
        dcontext="north-in",
        start=1,
        end=30,
        lastdata="PJSIP/north-106,20",
    )

    first, second = decided(directory, rang, onward)

    assert (first.company, first.dial_short, first.dial_full) == ("south", "106", "north-106")
    assert (second.company, second.src_ext, second.bill_to) == ("north", "106", "north")
    assert (second.direction, second.dial_short, second.dial_full) == ("outbound", None, None)


def test_a_consultation_outside_by_feature_code_is_the_transferrers(directory: Directory) -> None:
    talk = leg(
        "PJSIP/carrier-01",
        "PJSIP/north-102-02",
        src="01632960777",
        dst="102",
        dcontext="north-in",
        lastdata="PJSIP/north-102,20,tT",
    )
    consults = leg(
        "PJSIP/north-102-02",
        "Local/907700900456@north-in-0a;1",
        src="102",
        dst="",
        dcontext="north-in",
        lastapp="AppDial",
        lastdata="(Outgoing Line)",
        start=10,
        end=20,
    )
    onward = leg(
        "Local/907700900456@north-in-0a;2",
        "PJSIP/carrier-03",
        src="102",
        dst="907700900456",
        dcontext="north-in",
        start=10,
        end=40,
        lastdata="PJSIP/07700900456@carrier",
    )
    joined = leg(
        "PJSIP/carrier-01",
        "Local/907700900456@north-in-0a;1",
        src="01632960777",
        dst="102",
        dcontext="north-in",
        start=20,
        end=40,
        lastdata="PJSIP/north-102,20,tT",
    )

    found = decided(directory, talk, consults, onward, joined)

    assert [a.src_ext for a in found] == [None, "102", "102", "102"]
    assert [a.xfer for a in found] == [None, None, None, "102"]
    assert ["102", *["07700900456"] * 3] == [a.dial_short for a in found]
    assert ["inbound", *["outbound"] * 3] == [a.direction for a in found]
    assert [a.trunk for a in found] == ["carrier", None, "carrier", None]


def test_the_number_of_an_attended_transfer_is_in_the_consultations_row(
    directory: Directory,
) -> None:
    """Where the legs of both linkedids are looked at together."""
    talk = leg(
        "PJSIP/carrier-01",
        "PJSIP/north-102-02",
        src="01632960777",
        dst="102",
        dcontext="north-in",
        lastdata="PJSIP/north-102,20,tT",
    )
    consults = leg(
        "PJSIP/north-102-03",
        "PJSIP/carrier-04",
        src="102",
        dst="907700900456",
        dcontext="north-in",
        start=3,
        end=10,
        lastdata="PJSIP/07700900456@carrier",
        linkedid="1772442000.2",
    )
    joined = leg(
        "PJSIP/carrier-01",
        "PJSIP/carrier-04",
        src="01632960777",
        dst="102",
        dcontext="north-in",
        start=10,
        end=40,
        lastdata="PJSIP/north-102,20,tT",
    )

    *_, found = decided(directory, talk, consults, joined)

    assert (found.src_ext, found.xfer) == ("102", "102")
    assert (found.dial_short, found.dial_full) == ("07700900456", "07700900456")


def test_what_was_dialled_before_a_transfer_from_a_group_cannot_be_known(
    directory: Directory,
) -> None:
    """Asterisk wrote the transfer's target over dst, and several telephones had been rung."""
    group = "PJSIP/north-102&PJSIP/north-103,20"
    talk = leg(
        "PJSIP/north-101-01", "PJSIP/north-102-02", **{"dst": "104", "lastdata": group, **CALL}
    )
    moved = leg(
        "PJSIP/north-101-01",
        "PJSIP/north-104-03",
        **{"dst": "104", "lastdata": "PJSIP/north-104,20", "start": 10, "end": 20, **CALL},
    )

    before, after = decided(directory, talk, moved)

    assert (before.dial_short, before.dial_full) == (None, "north-102")
    assert (after.dial_short, after.xfer) == ("104", "102")


def test_a_telephone_is_told_by_its_name_where_no_pattern_covers_it(tmp_path: Path) -> None:
    named = compiled("companies: {north: {extensions: [100-199]}}", tmp_path)
    call = leg("SIP/101-01", "SIP/102-02", src="x", dst="102", lastdata="SIP/102")

    (found,) = attribute_call([call], named)

    assert (found.company, found.src_ext, found.target) == ("north", "101", "north")
    assert (found.direction, found.dial_full) == ("internal", "north-102")


def test_a_call_that_failed_is_told_by_what_dial_was_given(directory: Directory) -> None:
    group = leg(
        "PJSIP/north-101-01",
        **{"dst": "190", "lastdata": "PJSIP/south-102&PJSIP/south-103,20", "rang": True, **CALL},
    )
    trunk = leg(
        "PJSIP/north-101-01",
        **{"dst": "901632960111", "lastdata": "PJSIP/01632960111@carrier", "rang": True, **CALL},
    )

    (inside,), (outside,) = decided(directory, group), decided(directory, trunk)

    assert (inside.direction, inside.target, inside.dial_full) == ("onnet", "south", None)
    assert (outside.direction, outside.trunk, outside.dial_short) == (
        "outbound",
        "carrier",
        "01632960111",
    )


def test_what_the_dialplan_does_after_a_fetched_call_is_no_transfer(directory: Directory) -> None:
    """102 fetches the caller of another company from parking; both hang up, and the extension h runs."""
    caller, fetcher = "PJSIP/south-101-01", "PJSIP/north-102-03"
    park = {"uniqueid": "1772442000.5", "src": "102"}
    legs = (
        leg(caller, "PJSIP/north-101-02", dst="101", lastdata="PJSIP/north-101", src="101"),
        leg(caller, "", dst="101", lastapp="Park", start=10, end=14, src="101"),
        leg(fetcher, "", dst="701", lastapp="ParkedCall", start=13, end=14, **park),
        leg(caller, fetcher, dst="101", lastdata="PJSIP/north-101", start=14, end=20, src="101"),
        leg(fetcher, "", dst="h", dcontext="north-in", lastapp="Set", start=20, end=20, **park),
    )

    over = decided(directory, *legs)[-1]

    assert (over.company, over.bill_to, over.src_ext, over.xfer) == ("north", "north", "102", None)
