"""The captures as legs, and what is true of each: the intent of the calls, written by who placed them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cdrd.beside import CelEvent
from cdrd.decode.cel import CelGrammar
from cdrd.decode.chunks import decode_rows
from cdrd.decode.event_rows import event_row
from cdrd.enrich.companies import load_companies
from cdrd.enrich.deciding import decide_call
from cdrd.enrich.directory import Directory
from cdrd.enrich.grouping import CallGroup, calls_of
from cdrd.records import AcctId, Attribution, Chunk, Leg
from support.decoded import CAPTURES
from support.events import cel_stored

COMPANIES = Path(__file__).parents[1] / "unit" / "enrich" / "captures_companies.yaml"
_CUSTOM = """
accountcode peeraccount src dst dcontext clid channel dstchannel lastapp lastdata start start_us
answer answer_us end end_us duration billsec disposition amaflags uniqueid linkedid sequence
userfield trunkname dialfull authuser
"""
_MASTER = """
accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end duration
billsec disposition amaflags uniqueid userfield peeraccount linkedid sequence
"""
CUSTOM, MASTER = _CUSTOM.split(), _MASTER.split()
EXTRA = ("trunkname", "dialfull", "authuser")
PROPERTIES = (
    *("company", "target", "bill_to", "direction", "src_ext", "dial_short", "dial_full", "trunk"),
    *("xfer", "is_ivr", "is_park", "is_pick", "is_auth", "auth", "is_bounce"),
)
ZONES = {
    "variants/dst_london": "Europe/London",
    "america": "America/Phoenix",
    "germany": "Europe/Berlin",
    "zeros": "Asia/Kathmandu",
    "numeric": "America/Sao_Paulo",
}
MASTER_ZONES = ZONES | {"variants/gmt_plain": "UTC"}


@cache
def directory(capture: str = "main") -> Directory:
    """The directory of the captured PBX: its own, or that of `main`."""
    own = CAPTURES / capture / "companies.yaml"
    return Directory.compile(load_companies(own if own.exists() else COMPANIES).as_version(1))


def _rows(path: Path) -> Iterator[list[str]]:
    packed = path.with_name(f"{path.name}.gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    yield from csv.reader(TextIOWrapper(BytesIO(data), "utf-8", "surrogateescape", newline=""))


def _leg(row: dict[str, str], zone: ZoneInfo, acctid: int) -> Leg:
    def moment(name: str) -> datetime | None:
        text = row.get(name)
        return datetime.fromisoformat(text).replace(tzinfo=zone) if text else None

    start = moment("start")
    assert start is not None
    extra = {name: row[name] for name in EXTRA if row.get(name)}
    texts = {name: row[name] for name in Leg._fields[3:11]}
    return Leg(
        calldate=start,
        answerdate=moment("answer"),
        enddate=moment("end"),
        **texts,
        duration=int(row["duration"]),
        billsec=int(row["billsec"]),
        disposition=row["disposition"],
        amaflags=3,
        accountcode=row["accountcode"],
        uniqueid=row.get("uniqueid"),
        linkedid=row.get("linkedid"),
        sequence=int(row["sequence"]) if "sequence" in row else None,
        peeraccount=row.get("peeraccount"),
        userfield=row.get("userfield"),
        extra=extra or None,
        acctid=AcctId(acctid),
    )


@cache
def custom_legs(capture: str) -> Sequence[Leg]:
    """The legs that cdr_custom wrote: with linkedid and the columns of the dialplan."""
    zone = ZoneInfo(ZONES.get(capture, "America/New_York"))
    rows = _rows(CAPTURES / capture / "cdr-custom" / "full.csv")
    return [_leg(dict(zip(CUSTOM, row, strict=True)), zone, n) for n, row in enumerate(rows, 1)]


@cache
def master_legs(capture: str) -> Sequence[Leg]:
    """The legs that cdr_csv wrote, in the order of its files' rotation."""
    zone = ZoneInfo(MASTER_ZONES.get(capture, "America/New_York"))
    folder = CAPTURES / capture / "cdr-csv"
    rotated = ("renamed-1", "renamed-2", "copied-1", "copied-2")
    earlier = (folder / f"Master.csv.{name}" for name in rotated)
    files = [*(file for file in earlier if file.exists()), folder / "Master.csv"]
    rows = [row for file in files for row in _rows(file)]
    return [_leg(dict(zip(MASTER, row, strict=False)), zone, n) for n, row in enumerate(rows, 1)]


@cache
def cel_events(capture: str) -> Sequence[CelEvent]:
    """The channel events of the same calls, where they were captured."""
    path = CAPTURES / capture / "cel.csv.gz"
    if not path.exists():
        return ()
    chunk = Chunk(gzip.decompress(path.read_bytes()), 0, 1, final=True)
    grammar = CelGrammar(zone=ZONES.get(capture, "America/New_York"))
    return [cel_stored(row).event for row in decode_rows(chunk, grammar, event_row).rows]


class Input(NamedTuple):
    """What a site can have: which records, and whether it has channel events."""

    legs: Callable[[str], Sequence[Leg]]
    events: Callable[[str], Sequence[CelEvent]]


def no_events(_capture: str) -> Sequence[CelEvent]:
    """A site that writes no channel events."""
    return ()


INPUTS = {
    "cdr_csv": Input(master_legs, no_events),
    "cdr_custom": Input(custom_legs, no_events),
    "cdr_custom and cel": Input(custom_legs, cel_events),
    "cdr_csv and cel": Input(master_legs, cel_events),
}


@cache
def calls(capture: str, kind: str) -> Sequence[CallGroup]:
    """The calls of a capture that have legs."""
    source = INPUTS[kind]
    return [call for call in calls_of(source.legs(capture), source.events(capture)) if call.legs]


def attribute_call(
    legs: Sequence[Leg], of: Directory | None, events: Sequence[CelEvent] = ()
) -> Sequence[Attribution]:
    """One attribution for each leg of a call, in the order of the legs."""
    return decide_call(legs, of, events).attributions


@cache
def attributions(capture: str, kind: str) -> dict[int, Attribution]:
    """What is decided of each leg of a capture, by its acctid."""
    return {
        attribution.acctid: attribution
        for call in calls(capture, kind)
        for attribution in attribute_call(call.legs, directory(capture), call.events)
    }


class Truth(NamedTuple):
    """What is expected of a leg."""

    scenario: str
    leg: Leg
    expected: dict[str, Any]
    """By property, for those that are defined."""


@cache
def truths(capture: str) -> Sequence[Truth]:
    """Every leg with its expectation, by cdr_custom; cdr_csv has the same legs in the same order."""
    by_identity = {(leg.uniqueid, leg.sequence): leg for leg in custom_legs(capture)}
    return [*_of_scenarios(capture, by_identity), *_of_traffic(capture)]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _of_scenarios(
    capture: str, by_identity: dict[tuple[str | None, int | None], Leg]
) -> Iterator[Truth]:
    for scenario in _lines(CAPTURES / capture / "scenarios.jsonl"):
        rows = scenario.get("cdr_rows")
        for row in rows if isinstance(rows, list) else ():
            leg = by_identity.get((row["uniqueid"], row["sequence"]))
            expected = row.get("expected")
            if leg is None or not expected or expected.get("direction") == "lab":
                continue
            yield Truth(scenario["name"], leg, {p: expected.get(p) for p in PROPERTIES})


class CallTruth(NamedTuple):
    """What is expected of a whole call, where a scenario is one call."""

    scenario: str
    call: dict[str, Any]
    note: dict[str, Any]
    legs: Sequence[Truth]


@cache
def call_truths(capture: str) -> Sequence[CallTruth]:
    """Every scenario that is one call, or a call made again and again, and left legs."""
    legs: dict[str, list[Truth]] = {}
    for truth in truths(capture):
        legs.setdefault(truth.scenario, []).append(truth)
    told = _lines(CAPTURES / capture / "scenarios.jsonl")
    return [
        CallTruth(one["name"], one["call"], one["note"], legs[one["name"]])
        for one in told
        if one.get("call") and one["name"] in legs
    ]


def _of_traffic(capture: str) -> Iterator[Truth]:
    legs = custom_legs(capture)
    traffic = CAPTURES / capture / "traffic.jsonl"
    for call in _lines(traffic) if traffic.exists() else ():
        found = [
            leg
            for leg in legs
            if all(str(getattr(leg, name)).startswith(text) for name, text in call["find"].items())
        ]
        leg = min(found, key=lambda leg: abs(leg.calldate.timestamp() - call["at"]))
        known = {p: call[p] for p in PROPERTIES if p in call}
        flags = dict.fromkeys(
            ("xfer", "is_ivr", "is_park", "is_pick", "is_auth", "is_bounce"), False
        )
        expected = {**flags, "auth": None, **known, "direction": call["kind"]}
        yield Truth(f"traffic {call['kind']}", leg, expected)


def agrees(expected: object, decided: object, name: str) -> bool:
    """Whether the decision is what is true; `xfer: true` means that the transferrer is named."""
    return bool(decided) == expected if name == "xfer" else decided == expected
