"""Patterns, ranges, dialling profiles and the names that Asterisk gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdrd.enrich.channels import (
    Target,
    channel_base,
    channel_number,
    is_serial,
    other_half,
    parse_dial,
)
from cdrd.enrich.dialling import dialling_of
from cdrd.enrich.patterns import Pattern, Span, captured, parse_pattern, parse_span, span_prefixes
from cdrd.enrich.printable import printable
from cdrd.enrich.tables import NumberTable, PatternTable

BRITAIN = dialling_of(
    {"country_code": "44", "national_prefix": "0", "international_prefix": "00"},
    {"area_code": "01908", "local_digits": "6"},
)
AMERICA = dialling_of(
    {"country_code": "1", "national_prefix": "1", "international_prefix": "011"},
    {"national_digits": "10"},
)


@settings(deadline=None)
@given(st.integers(0, 999), st.integers(0, 999))
def test_the_prefixes_of_a_span_hold_its_numbers_and_no_others(one: int, other: int) -> None:
    first, last = sorted((one, other))
    prefixes = list(span_prefixes(Span(f"{first:03}", f"{last:03}")))

    held = [n for n in range(1000) if any(f"{n:03}".startswith(p) for p in prefixes)]
    assert held == list(range(first, last + 1))
    assert len(prefixes) <= 2 * 9 * 3


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("PJSIP/acme-{ext}", "PJSIP/acme-101", "101"),
        ("PJSIP/acme-{ext}", "PJSIP/acme-lobby", None),
        ("PJSIP/acme-{ext}", "PJSIP/acme-", None),
        ("PJSIP/acme-*", "PJSIP/acme-lobby", "lobby"),
        ("{ext}@acme", "101@acme", "101"),
        ("a*a", "a", None),
        ("a*a", "aa", None),
    ],
)
def test_a_pattern_gives_what_stands_in_its_place(text: str, value: str, found: str | None) -> None:
    assert captured(parse_pattern(text), value) == found


@pytest.mark.parametrize("text", ["", "a*b*", "{ext}-{ext}", "*{ext}"])
def test_a_pattern_has_one_wild_place_at_most(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|only one"):
        parse_pattern(text)


def test_in_feature_codes_the_star_is_a_key() -> None:
    assert parse_pattern("*8{ext}", star_is_a_key=True) == Pattern("*8", "", "{ext}")


@pytest.mark.parametrize(("text", "words"), [("101-99", "same number"), ("110-101", "after")])
def test_a_range_goes_up_and_keeps_its_length(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_span(text)


def test_the_more_specific_pattern_is_found_first() -> None:
    table: PatternTable[str] = PatternTable()
    for text in ("PJSIP/*", "PJSIP/acme-*", "PJSIP/acme-{ext}", "PJSIP/acme-101"):
        table.add(None, parse_pattern(text), text)

    found = [found.item for found in table.find((None,), "PJSIP/acme-101")]

    assert found == ["PJSIP/acme-101", "PJSIP/acme-{ext}", "PJSIP/acme-*", "PJSIP/*"]


def test_a_number_by_itself_is_found_before_the_blocks_it_is_in_the_smallest_first() -> None:
    table: NumberTable[str] = NumberTable()
    table.add(Span("100", "199"), "block")
    table.add(Span("100", "109"), "small block")
    table.add(Span("101", "101"), "single")

    assert list(table.find("101")) == ["single", "small block", "block"]
    assert list(table.find("150")) == ["block"]
    assert list(table.find("1500")) == []


@pytest.mark.parametrize(
    ("number", "public", "written"),
    [
        ("01908555101", "+441908555101", "01908555101"),
        ("+441908555101", "+441908555101", "01908555101"),
        ("00441908555101", "+441908555101", "01908555101"),
        ("555101", "+441908555101", "01908555101"),
        ("0033145678901", "+33145678901", "0033145678901"),
        ("+12125550142", "+12125550142", "0012125550142"),
        ("999", None, "999"),
        ("101", None, "101"),
        ("", None, ""),
        ("anonymous", None, "anonymous"),
    ],
)
def test_one_number_has_many_forms(number: str, public: str | None, written: str) -> None:
    assert BRITAIN.e164(number) == public
    assert BRITAIN.written(number) == written


def test_a_number_of_fixed_length_needs_no_national_prefix() -> None:
    forms = ("2125550142", "12125550142", "+12125550142")

    assert {"+12125550142"} == {AMERICA.e164(form) for form in forms}


def test_a_number_of_fixed_length_has_that_after_the_national_prefix() -> None:
    assert AMERICA.e164("175550123") is None
    assert AMERICA.written("175550123") == "175550123"


@pytest.mark.parametrize(
    ("number", "public"),
    [
        ("01908555101", True),
        ("555101", True),
        ("+33145678901", True),
        ("101", False),
        ("0010", False),
        ("01", False),
    ],
)
def test_an_extension_may_begin_as_a_number_does(number: str, public: bool) -> None:
    assert BRITAIN.is_public(number) == public


def test_without_a_profile_numbers_stay_as_they_are() -> None:
    assert dialling_of().written("01908555101") == "01908555101"
    assert dialling_of().e164("01908555101") is None


@pytest.mark.parametrize(
    ("channel", "base"),
    [
        ("PJSIP/acme-101-0000002a", "PJSIP/acme-101"),
        ("IAX2/handbag-3265", "IAX2/handbag"),
        ("DAHDI/i1/07700900123-1a", "DAHDI/i1/07700900123"),
        ("Local/101@acme-internal-0000002f;2", "Local/101@acme-internal"),
        ("AsyncGoto/PJSIP/acme-101-0000002a", "PJSIP/acme-101"),
        ("PJSIP/acme-101-0000002a<ZOMBIE>", "PJSIP/acme-101"),
        ("Message/ast_msg_queue", "Message/ast_msg_queue"),
        ("", ""),
    ],
)
def test_the_number_of_the_call_is_no_part_of_a_channels_name(channel: str, base: str) -> None:
    assert channel_base(channel) == base


def test_the_halves_of_a_local_channel_know_each_other() -> None:
    one, two = "Local/101@acme-internal-0000002f;1", "Local/101@acme-internal-0000002f;2"

    assert other_half(one) == two
    assert other_half(two) == one
    assert other_half("PJSIP/acme-101-0000002a") is None
    assert channel_number("PJSIP/acme-101-0000002a") == 42


@pytest.mark.parametrize("channel", ["Local/101@acme", "Local/-0000002f;1", "Local/1@a-2G;1"])
def test_what_only_looks_like_a_local_channel_has_no_halves(channel: str) -> None:
    assert other_half(channel) is None


def test_only_names_with_asterisks_serial_number_are_never_used_again() -> None:
    serial = ["PJSIP/acme-101-0000002a", "Local/101@acme-internal-0000002f;2"]
    other = ["DAHDI/1-1", "IAX2/carrier-77", "PJSIP/acme-101-0000002A", "-0000002a"]

    assert [channel for channel in (*serial, *other) if is_serial(channel)] == serial


@pytest.mark.parametrize(
    ("lastdata", "targets"),
    [
        ("PJSIP/acme-102,4,tTkK", [Target("PJSIP/acme-102")]),
        ("PJSIP/01632960111@trunk-alpha,30", [Target("PJSIP/trunk-alpha", "01632960111")]),
        ("PJSIP/trunk/sip:+44163@host:5060", [Target("PJSIP/trunk", "+44163")]),
        ("SIP/provider/0163296,30", [Target("SIP/provider", "0163296")]),
        ("IAX2/user:secret@host/0163296", [Target("IAX2/host", "0163296")]),
        ("PJSIP/a&PJSIP/b&Local/1@c/n,9", [*map(Target, ("PJSIP/a", "PJSIP/b", "Local/1@c"))]),
        ("", []),
        (",,", []),
    ],
)
def test_the_arguments_of_dial_are_taken_apart(lastdata: str, targets: list[Target]) -> None:
    assert list(parse_dial(lastdata).targets) == targets


@pytest.mark.parametrize(
    ("lastdata", "options"),
    [
        ("PJSIP/acme-101,30,tTkK", "tTkK"),
        ("PJSIP/acme-101,30,tTU(sub-greeting,1)k", "tTUk"),
        ("PJSIP/acme-101,,F(acme-internal^907700900123^1)", "F"),
        ("PJSIP/acme-101,30,tG(feature^g", "tG"),
        ("PJSIP/acme-101,30,t,https://pbx.example/g(F)", "t"),
        ("PJSIP/acme-101", ""),
    ],
)
def test_what_options_are_told_are_no_options(lastdata: str, options: str) -> None:
    assert parse_dial(lastdata).options == options


def test_cut_arguments_do_not_pretend_to_be_whole() -> None:
    assert not parse_dial("&".join(f"PJSIP/acme-{n}" for n in range(101, 130))[:79]).complete


@given(st.text())
def test_nothing_that_steers_a_terminal_gets_through(text: str) -> None:
    shown = printable(text)

    assert shown.isprintable() or "\u00a0" in shown or any(c.isspace() for c in shown)
    assert not any(0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 for c in shown)
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in shown)


def test_invisible_characters_are_written_out() -> None:
    assert printable("a\x1b[31m\u202eb\udcff\n") == "a\\x1b[31m\\u202eb\\xff\\x0a"
