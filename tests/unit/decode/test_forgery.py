"""No text inside a field can pass for a record, whatever a caller calls himself."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.decoded import FULL, decoded_row, record

from cdrd.decode.decoders import Decoder, Shape, decoder_for
from cdrd.records import Chunk, Leg, SourceKind

MASTER = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone="UTC"))
CUSTOM = decoder_for(Shape(SourceKind.ASTERISK_CUSTOM, zone="UTC", columns=FULL))
CLID_FIRST = decoder_for(
    Shape(
        SourceKind.ASTERISK_CUSTOM,
        columns=("clid", "src", "start:epoch", "dst", "duration", "billsec", "disposition:number"),
    )
)
JSON = decoder_for(Shape(SourceKind.ASTERISK_JSON, zone="UTC"))

FORGED = record(accountcode="evil").decode()
BARE = FORGED.replace('"', "")
JSON_FORGED = '{"src":"evil","dst":"1","start":1,"duration":1,"billsec":1,"disposition":"BUSY"}\n'
FORGED_EARLY = '"evil","2","3","4",'
FORGED_CUSTOM = ",".join(f'"{name}"' for name in FULL)

HOSTILE = st.lists(
    st.sampled_from(
        [
            *(
                '"',
                '""',
                ",",
                "\n",
                '","',
                '",',
                ',"',
                '"\n"',
                "\r\n",
                "\\",
                '\\"',
                "x",
                "",
                "2026",
            ),
            *(
                '"2026-11-21 13:24:47"',
                "2026-11-21 13:24:47",
                ",1,1,",
                '"BUSY","OMIT"',
                ",,,,,,,,,",
            ),
            *(
                FORGED,
                "\n" + FORGED,
                "\n" + FORGED[1:],
                BARE,
                "\n" + BARE,
                FORGED[:-2],
                FORGED_EARLY,
            ),
            *("\n" + FORGED_EARLY, FORGED_CUSTOM, "evil", '"evil"', "\nevil,666,1,1,1,8\n"),
            *("\n1,666,1795285487,1,1,1,8\n", '\n"1","666",1795285487,"1",1,1,8\n'),
            *(
                JSON_FORGED,
                "\n" + JSON_FORGED,
                ',"src":"evil"',
                "}\n",
                '"}\n',
                "{",
                '"}\n{"',
                "{\n{",
            ),
            *('":', '":"', "\t", "\x01", '\\","dst":"', "\\\\"),
        ]
    ),
    max_size=7,
).map("".join)
FIELDS = ("clid", "src", "dst", "lastdata", "userfield", "channel", "uniqueid", "linkedid")


def legs(decoder: Decoder, data: bytes) -> list[Leg]:
    return [decoded_row(row).leg for row in decoder.chunk(Chunk(data, 0, 1, final=True)).rows]


def csv_line(values: list[str]) -> bytes:
    doubled = (value.replace('"', '""') for value in values)
    return (",".join(f'"{value}"' for value in doubled) + "\n").encode()


def asterisk_json(values: dict[str, str]) -> bytes:
    """As Asterisk 22.10.1 writes it: a backslash before each quote, and nothing else."""
    pairs = ((key, value.replace('"', '\\"')) for key, value in values.items())
    return ("{" + ",".join(f'"{key}":"{value}"' for key, value in pairs) + "}\n").encode()


@settings(max_examples=120, deadline=None)
@given(
    columns=st.sampled_from([16, 17, 18, 21]),
    fields=st.dictionaries(st.sampled_from(FIELDS), HOSTILE, max_size=3),
)
def test_a_hostile_record_of_master_csv_is_one_leg_with_its_own_words(
    columns: int, fields: dict[str, str]
) -> None:
    good, hostile = record(columns), record(columns, **fields)
    before, found, after = legs(MASTER, good + hostile + good)
    assert before == after
    for name in {"clid", "src", "dst", "lastdata", "channel"} & fields.keys():
        assert fields[name] == getattr(found, name)


@settings(max_examples=120, deadline=None)
@given(
    columns=st.sampled_from([16, 17, 18, 20, 21]),
    fields=st.dictionaries(st.sampled_from(FIELDS), HOSTILE, min_size=1, max_size=3),
    cut=st.integers(0, 1000),
    torn=st.integers(0, 300),
)
def test_nothing_is_forged_in_master_csv_even_behind_a_torn_record(
    columns: int, fields: dict[str, str], cut: int, torn: int
) -> None:
    """The forged record says accountcode evil; no real one does."""
    good, hostile = record(columns), record(columns, **fields)
    cut %= len(hostile)
    for data in (
        hostile[cut:],
        good[:torn] + hostile,
        hostile[:cut] + hostile,
        hostile[:cut] + good,
    ):
        assert [leg for leg in legs(MASTER, data + good) if leg.accountcode == "evil"] == []


@settings(max_examples=120, deadline=None)
@given(
    hostile=st.dictionaries(st.sampled_from(["clid", "src", "trunkname", "authuser"]), HOSTILE),
    cut=st.integers(0, 1000),
)
def test_nothing_is_forged_in_a_quoted_mapping(hostile: dict[str, str], cut: int) -> None:
    usual = dict.fromkeys(FULL, "") | {"accountcode": "acme", "start": "2026-11-21 13:24:47"}
    usual |= {"duration": "1", "billsec": "1", "disposition": "BUSY"}
    good, bad = csv_line(list(usual.values())), csv_line(list((usual | hostile).values()))
    found = legs(CUSTOM, good + bad + good)
    assert [hostile.get("clid", "")] == [leg.clid for leg in found[1:-1]]
    cut %= len(bad)
    for data in (bad[cut:], bad[:cut] + bad, bad[:cut] + good):
        assert [leg for leg in legs(CUSTOM, data + good) if leg.accountcode == "evil"] == []


@settings(max_examples=120, deadline=None)
@given(clid=HOSTILE, src=HOSTILE, cut=st.integers(0, 1000))
def test_nothing_is_forged_where_a_callers_words_come_first_and_the_time_is_a_number(
    clid: str, src: str, cut: int
) -> None:
    numbers = b',1795285487.5,"102",1,1,"8"\n'
    good = csv_line(["me", "101"])[:-1] + numbers
    bad = csv_line([clid, src])[:-1] + numbers
    assert [("me", "101"), (clid, src), ("me", "101")] == [
        (leg.clid, leg.src) for leg in legs(CLID_FIRST, good + bad + good)
    ]
    cut %= len(bad)
    for data in (bad[cut:], bad[:cut] + bad, bad[:cut] + good):
        assert [leg for leg in legs(CLID_FIRST, data + good) if leg.src == "666"] == []


def json_values(**hostile: str) -> dict[str, str]:
    usual = {"clid": '"A" <1>', "src": "101", "dst": "102", "start": "2026-11-21 13:24:47"}
    usual |= {"duration": "1", "billsec": "1", "disposition": "BUSY", "trunk": "t", "userfield": ""}
    return usual | hostile


@settings(max_examples=120, deadline=None)
@given(hostile=st.dictionaries(st.sampled_from(["clid", "src", "userfield", "trunk"]), HOSTILE))
def test_what_asterisk_writes_as_json_is_one_leg_with_its_own_words(
    hostile: dict[str, str],
) -> None:
    values = json_values(**hostile)
    good = asterisk_json(json_values())
    found = legs(JSON, good + asterisk_json(values) + good)
    assert [("101", "t"), (values["src"], values["trunk"]), ("101", "t")] == [
        (leg.src, (leg.extra or {})["trunk"]) for leg in found
    ]
    assert (values["clid"], values["userfield"]) == (found[1].clid, found[1].userfield)


@settings(max_examples=120, deadline=None)
@given(
    hostile=st.dictionaries(st.sampled_from(["clid", "userfield", "trunk"]), HOSTILE),
    cut=st.integers(0, 1000),
)
def test_nothing_is_forged_in_json_even_behind_a_torn_record(
    hostile: dict[str, str], cut: int
) -> None:
    good, bad = asterisk_json(json_values()), asterisk_json(json_values(**hostile))
    cut %= len(bad)
    assume(cut)
    for data in (bad[cut:], bad[:cut] + bad, bad[:cut] + good):
        assert [leg for leg in legs(JSON, data + good) if leg.src == "evil"] == []


@pytest.mark.parametrize("text", [FORGED, "\n" + FORGED, "\n" + BARE + "\n", '"\n' + FORGED])
def test_a_record_in_the_userfield_is_a_userfield(text: str) -> None:
    """Its lines alone are rejected too, should a reader ever begin among them."""
    hostile = record(userfield=text)
    (leg,) = legs(MASTER, hostile)
    assert (text, "acme") == (leg.userfield, leg.accountcode)
    for line in hostile.split(b"\n")[1:]:
        assert legs(MASTER, line + b"\n") == []
