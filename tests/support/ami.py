"""Events of the manager interface as Asterisk writes them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from cdrd.decode.ami import AmiMessage, AmiStream
from cdrd.decode.ami_order import Order
from cdrd.records import Rejected

CDR = {
    "Privilege": "cdr,all",
    "Timestamp": "1795285500.250000",
    "AccountCode": "acme",
    "Source": "101",
    "Destination": "102",
    "DestinationContext": "internal",
    "CallerID": '"Alice Archer" <101>',
    "Channel": "PJSIP/101-00000001",
    "DestinationChannel": "PJSIP/102-00000002",
    "LastApplication": "Dial",
    "LastData": "PJSIP/102,20",
    "StartTime": "2026-11-21 13:24:47",
    "AnswerTime": "2026-11-21 13:24:50",
    "EndTime": "2026-11-21 13:25:00",
    "Duration": "13",
    "BillableSeconds": "10",
    "Disposition": "ANSWERED",
    "AMAFlags": "DOCUMENTATION",
    "UniqueID": "1795285487.10",
    "UserField": "",
    "LinkedID": "1795285487.9",
    "Sequence-k3v9x2": "17",
}
"""A Cdr event with two mappings, the last of them under a name that callers can't know."""

MAPPINGS = {"LinkedID": "linkedid", "Sequence-k3v9x2": "sequence"}
CAPTURED_MAPPINGS = {
    "LinkedID": "linkedid",
    "Sequence": "sequence",
    "PeerAccount": "peeraccount",
    "TrunkName": "trunkname",
    "DialFull": "dialfull",
    "AuthUser": "authuser",
}
"""Those of the PBX that the captures are of."""


def block(name: str, fields: Mapping[str, str]) -> bytes:
    """One event."""
    lines = [f"Event: {name}", *(f"{key}: {value}" for key, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def cdr_block(**fields: str) -> bytes:
    """A Cdr event with other values than usual."""
    return block("Cdr", CDR | fields)


def messages(
    orders: Mapping[str, Order], data: bytes, cuts: tuple[int, ...] = ()
) -> list[AmiMessage | Rejected]:
    """What a connection brings that gets the bytes in pieces."""
    stream = AmiStream(orders)
    found: list[AmiMessage | Rejected] = []
    for start, end in pairwise((0, *sorted(cuts), len(data))):
        found += stream.feed(data[start:end])
    return [*found, *stream.ended()]
