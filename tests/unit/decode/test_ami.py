"""The manager interface's stream is cut into messages, whatever callers have put into the values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ami import CDR, MAPPINGS, block, cdr_block, messages

from cdrd.decode.ami import AmiMessage, AmiStream
from cdrd.decode.ami_order import orders
from cdrd.records import Reason, Rejected

ORDERS = orders(tuple(MAPPINGS))
GOOD = cdr_block()
GREETING = (
    b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n"
)
NEWSTATE = block("Newstate", {"Channel": "PJSIP/101-00000001", "ChanVariable": "a=1"})


def of(data: bytes, **options: int) -> list[AmiMessage | Rejected]:
    stream = AmiStream(ORDERS, **options)
    return [*stream.feed(data), *stream.ended()]


def names(found: list[AmiMessage | Rejected]) -> list[str]:
    return [each.name if isinstance(each, AmiMessage) else each.reason for each in found]


def value(data: bytes, key: str) -> str:
    first = of(data)[0]
    assert isinstance(first, AmiMessage), first
    return first.get(key)


def test_a_connection_brings_answers_and_events_numbered_and_placed() -> None:
    found = of(GREETING + NEWSTATE + GOOD)
    assert names(found) == ["Response", "Newstate", "Cdr"]
    assert [(each.line, each.offset) for each in found] == [
        (1, GREETING.index(b"Response")),
        (2, len(GREETING)),
        (3, len(GREETING + NEWSTATE)),
    ]
    answer = found[0]
    assert isinstance(answer, AmiMessage)
    assert (answer.get("Message"), answer.get("ActionID", "none")) == (
        "Authentication accepted",
        "none",
    )


def test_keys_of_unknown_events_are_in_order_and_may_repeat() -> None:
    found = of(b"Event: Newstate\r\nChanVariable: a=1\r\nChanVariable: b: 2\r\nNoColon\r\n\r\n")[0]
    assert isinstance(found, AmiMessage)
    assert found.fields[1:] == (("ChanVariable", "a=1"), ("ChanVariable", "b: 2"), ("NoColon", ""))


@given(st.lists(st.integers(0, len(GREETING + NEWSTATE + GOOD + GOOD)), max_size=6))
@settings(max_examples=40, deadline=None)
def test_it_makes_no_difference_how_the_bytes_arrive(cuts: list[int]) -> None:
    data = GREETING + NEWSTATE + GOOD + GOOD
    assert messages(ORDERS, data, tuple(cuts)) == of(data)


@pytest.mark.parametrize(
    "text",
    [
        "line1\nline2",
        "line1\r\nline2",
        "\r\n",
        "evil\r\nEvent: Fake\r\nFoo: bar",
        "a\r\n\r\nb",
        "a\r\n\r\n\r\n\r\nb",
        "a\r\n\r\nEvent: Fake\r\nFoo: bar\r\n\r\n",
        "a\r\nAccountCode: evil",
        "a\r\n\r\nEvent: Cdr\r\nPrivilege: cdr,all\r\nAccountCode: evil",
        "a\r\n\r\nResponse: Goodbye\r\n\r\n",
        "Event: x",
    ],
)
def test_lines_inside_a_value_belong_to_it_where_there_is_no_second_reading(text: str) -> None:
    found = of(cdr_block(UserField=text) + GOOD)
    assert names(found) == ["Cdr", "Cdr"]
    assert value(cdr_block(UserField=text) + GOOD, "UserField") == text


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nLinkedID: 1.1",
        "a\r\n\r\nLinkedID: 1.1",
        "a\r\n" + cdr_block(AccountCode="evil").decode(),
        "a\r\n\r\n" + cdr_block(AccountCode="evil").decode().partition("LinkedID")[0],
        "a\r\n\r\n" + cdr_block(AccountCode="evil").decode().replace("k3v9x2", "guess"),
        "a\r\nUserField: b",
    ],
)
def test_an_event_that_can_be_read_in_two_ways_is_rejected_and_its_neighbours_stay(
    text: str,
) -> None:
    found = of(GOOD + cdr_block(LastData="x", UserField=text) + GOOD)
    assert "Cdr" in {names(found)[0], names(found)[-1]}
    assert Reason.AMBIGUOUS in names(found)
    accounts = {each.get("AccountCode") for each in found if isinstance(each, AmiMessage)}
    assert accounts == {"acme"}
    assert found[-1] == found[0]._replace(line=found[-1].line, offset=found[-1].offset)


HOSTILE = st.lists(
    st.sampled_from(
        [
            *("\r\n", "\r\n\r\n", "\n", "\r", ": ", "x", "", "Event: ", "Response: Error", "\\"),
            *("Event: Cdr", "Event: Fake", "AccountCode: evil", "LinkedID: 1.1", "UserField: evil"),
            *(
                "Sequence: 1",
                "Source: evil",
                "\r\nEvent: Cdr\r\n",
                "\r\n\r\nEvent: Cdr\r\nPrivilege: cdr",
            ),
            cdr_block(AccountCode="evil").decode().replace("k3v9x2", "guess"),
            "\r\n\r\n" + cdr_block(AccountCode="evil").decode().partition("LinkedID")[0],
            "\r\n\r\n" + cdr_block(AccountCode="evil").decode().partition("AccountCode")[0],
        ]
    ),
    max_size=6,
).map("".join)


@given(st.sampled_from(["UserField", "LastData", "AccountCode", "Source", "CallerID"]), HOSTILE)
@settings(max_examples=250, deadline=None)
def test_no_value_can_forge_or_hide_a_record_when_the_last_key_is_a_secret(
    key: str, text: str
) -> None:
    found = of(cdr_block(**{key: text}) + GOOD)
    *first, last = found
    assert isinstance(last, AmiMessage)
    assert dict(last.fields[1:]) == CDR
    assert len(first) == 1
    assert isinstance(first[0], Rejected) or dict(first[0].fields[1:]) == CDR | {key: text}


def test_an_event_with_a_fake_inside_a_longer_event_of_another_kind_needs_the_secret_key() -> None:
    fake = cdr_block(AccountCode="evil").decode().replace("k3v9x2", "guess")
    found = of(block("VarSet", {"Variable": "x", "Value": "y\r\n\r\n" + fake}) + GOOD + GOOD)
    assert names(found) == ["VarSet", Reason.AMBIGUOUS, "Cdr"]
    assert found[1].raw.endswith(GOOD)


def test_what_never_comes_to_an_end_is_given_up_and_kept() -> None:
    without = {key: text for key, text in CDR.items() if key != "LinkedID"}
    wrong = block("Cdr", without)
    found = of(wrong * 20 + NEWSTATE)
    assert {each.reason for each in found if isinstance(each, Rejected)} == {
        Reason.AMBIGUOUS,
        Reason.TORN,
    }
    assert (
        b"".join(each.raw for each in found if isinstance(each, Rejected)).count(b"Event: Cdr")
        == 20
    )
    first = found[0]
    assert isinstance(first, Rejected)
    assert "never came to its key LinkedID" in first.detail


def test_an_event_is_held_until_its_last_value_is_certain() -> None:
    stream = AmiStream(ORDERS)
    assert stream.feed(GOOD) == []
    assert names(stream.quiet()) == ["Cdr"]
    assert stream.feed(GOOD[:20]) == []
    assert stream.quiet() == []
    assert names(stream.feed(GOOD[20:] + NEWSTATE[:10])) == []
    assert names(stream.quiet()) == ["Cdr"]


def test_a_last_value_goes_on_behind_an_empty_line() -> None:
    last = orders(("AuthUser",))
    fields = {key: text for key, text in CDR.items() if key not in MAPPINGS}
    found = messages(last, block("Cdr", fields | {"AuthUser": "a\r\n\r\nb"}) + NEWSTATE)
    assert isinstance(found[0], AmiMessage)
    assert found[0].get("AuthUser") == "a\r\n\r\nb"


def test_lines_that_come_too_late_for_their_event_are_kept() -> None:
    stream = AmiStream(ORDERS)
    stream.feed(GOOD)
    stream.quiet()
    assert names(stream.feed(b"late lines\r\n\r\n")) == [Reason.AMBIGUOUS]
    assert names(stream.feed(NEWSTATE + b"more of it\r\n\r\n")) == ["Newstate"]


@pytest.mark.parametrize("length", [3, 8, 20, 200, len(GOOD) - 3])
def test_what_the_peer_did_not_finish_is_torn(length: int) -> None:
    found = of(GOOD + GOOD[:length])
    torn = found[1:]
    assert names(found)[0] == "Cdr"
    assert [each.raw for each in torn] == ([GOOD[:length]] if length > len("Event:") else [])
    assert names(torn) == [Reason.TORN] * len(torn)


def test_an_unfinished_event_of_another_kind_is_nothing() -> None:
    assert names(of(GOOD + NEWSTATE[:-2])) == ["Cdr"]


def test_a_giant_is_bounded_and_ends_with_its_empty_line() -> None:
    giant = b"Event: VarSet\r\nValue: " + b"x" * 300_000 + b"\r\n\r\n"
    stream = AmiStream(ORDERS)
    found = [
        each
        for start in range(0, len(giant), 4096)
        for each in stream.feed(giant[start : start + 4096])
    ]
    found += stream.feed(GOOD)
    found += stream.quiet()
    assert names(found) == [Reason.TOO_LONG, "Cdr"]
    assert max(len(each.raw) for each in found) < 80_000


def test_an_event_before_a_giant_is_not_lost() -> None:
    stream = AmiStream(ORDERS, max_event_bytes=1000)
    assert stream.feed(GOOD) == []
    assert names(stream.feed(b"x" * 1001)) == ["Cdr", Reason.TOO_LONG]


@pytest.mark.parametrize("more", range(-3, 4))
@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_what_is_a_giant_does_not_depend_on_the_pieces_that_it_comes_in(
    more: int, piece: int
) -> None:
    """A block of the longest length, a little less and a little more."""
    head, end = b"Event: VarSet\r\nValue: ", b"\r\n\r\n"
    block = head + b"x" * (1000 + more - len(head) - len(end)) + end
    data = block + GOOD
    stream = AmiStream(ORDERS, max_event_bytes=1000)
    found = [
        each
        for start in range(0, len(data), piece)
        for each in stream.feed(data[start : start + piece])
    ]
    found += stream.quiet()
    assert names(found) == [Reason.TOO_LONG if more > 0 else "VarSet", "Cdr"]
    assert found[0].raw == block[:1000]


def test_an_empty_line_more_than_needed_is_nothing() -> None:
    assert names(of(b"\r\n" + GOOD + b"\r\n\r\n\r\n" + GOOD)) == ["Cdr", "Cdr"]


@given(
    st.binary(max_size=300),
    st.lists(st.sampled_from([b"\r\n", b"\r\n\r\n", b"Event: Cdr", b"Event: CEL", GOOD, b": "])),
)
@settings(max_examples=80, deadline=None)
def test_any_bytes_are_survived(noise: bytes, pieces: list[bytes]) -> None:
    of(noise.join(pieces) + noise, max_event_bytes=2000)
