"""What PBXs of every kind post."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Posted:
    """One push of one PBX."""

    source: str
    body: bytes
    uniqueids: tuple[str, ...] = ()
    """Of its records."""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)


def asterisk_json(number: int) -> dict[str, Any]:
    """One record as an object."""
    return {
        "accountcode": "acme",
        "src": "101",
        "dst": "102",
        "dcontext": "internal",
        "clid": '"A\\B" <101>',
        "channel": f"PJSIP/101-{number:08x}",
        "dstchannel": "",
        "lastapp": "Dial",
        "lastdata": "PJSIP/102",
        "start": "2026-11-21 13:24:47",
        "answer": "",
        "end": "2026-11-21 13:25:00",
        "duration": 13,
        "billsec": 0,
        "disposition": "NO ANSWER",
        "amaflags": "DOCUMENTATION",
        "uniqueid": f"1795285487.{number}",
        "linkedid": f"1795285487.{number}",
    }


def freeswitch(uuid: str) -> dict[str, Any]:
    """One document of mod_json_cdr."""
    return {
        "core-uuid": "5f1c",
        "switchname": "fs1",
        "variables": {
            "uuid": uuid,
            "direction": "inbound",
            "channel_name": "sofia/internal/1001",
            "start_epoch": "1795285487",
            "answer_epoch": "0",
            "end_epoch": "1795285500",
            "duration": "13",
            "billsec": "0",
            "hangup_cause": "NO_ANSWER",
            "last_arg": quote("user/1002@pbx.example", safe=""),
        },
        "callflow": [
            {
                "caller_profile": {
                    "caller_id_name": "Alice",
                    "caller_id_number": "1001",
                    "destination_number": "1002",
                    "context": "default",
                    "uuid": uuid,
                }
            }
        ],
    }


FS = ("0c7e3a10-0001", "0c7e3a10-0002", "0c7e3a10-0003", "0c7e3a10-0004")
FREESWITCH_XML = b"""<?xml version="1.0"?>
<cdr core-uuid="5f1c" switchname="fs1">
  <variables>
    <uuid>0c7e3a10-0004</uuid><direction>inbound</direction>
    <start_epoch>1795285487</start_epoch><answer_epoch>0</answer_epoch><end_epoch>1795285500</end_epoch>
    <duration>13</duration><billsec>0</billsec><hangup_cause>NO_ANSWER</hangup_cause>
  </variables>
  <callflow><caller_profile>
    <caller_id_name>Alice</caller_id_name><caller_id_number>1001</caller_id_number>
    <destination_number>1002</destination_number><context>default</context>
  </caller_profile></callflow>
</cdr>
"""

YEASTAR = {
    "callid": "1795285487.6",
    "timestart": "2026-11-21 13:24:47",
    "callfrom": "07700900123",
    "callto": "1000",
    "callduraction": "13",
    "talkduraction": "10",
    "srctrunkname": "Trunk1",
    "dsttrcunkname": "",
    "pincode": "",
    "status": "ANSWERED",
    "type": "Inbound",
    "recording": "",
    "didnumber": "5551000",
    "agentringtime": "0",
    "sn": "369152",
}
YEASTAR_P_SERIES = {
    "call_id": "1795285487.7",
    "uid": "20261121132447ABCDE",
    "status": "ANSWERED",
    "time_start": "2026-11-21 13:24:47",
    "call_from": "Alice Archer<1002>",
    "call_to": "Bob<07700900123>",
    "call_duration": 13,
    "talk_duration": 10,
    "src_trunk_name": "",
    "dst_trunk_name": "Trunk1",
    "type": "Outbound",
}
GRANDSTREAM = {
    "AcctId": "61",
    "accountcode": "",
    "src": "1001",
    "dst": "1002",
    "dcontext": "from-internal",
    "clid": '"Archer, Alice" <1001>',
    "channel": "PJSIP/1001-00000001",
    "dstchannel": "PJSIP/1002-00000002",
    "lastapp": "Dial",
    "lastdata": "PJSIP/1002,60,tT",
    "start": "2026-11-21 13:24:47",
    "answer": "2026-11-21 13:24:50",
    "end": "2026-11-21 13:25:00",
    "duration": "13",
    "billsec": "10",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "uniqueid": "1795285487.10",
    "userfield": "EXT",
    "channel_ext": "1001",
    "dstchannel_ext": "1002",
    "service": "s",
}
THREECX = (
    b"Call 265500,00000179C8B2D34D_265500,00:00:10,2026/11/21 13:24:47,2026/11/21 13:24:50,"
    b"2026/11/21 13:25:00,TerminatedBySrc,Ext.80002,Ext.80001,80002,80001,80001,,80001,80001,"
    b"acme,,0.25,,Chain: Ext.80002;Ext.80001;,Extension,Extension,,Alice Archer,,,\r\n"
)

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_BASE64 = {"Content-Type": "application/x-www-form-base64-encoded"}


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def everything() -> list[Posted]:
    """What every kind of PBX posts, in every wrapping."""
    form = b"cdr=" + quote(_json(freeswitch(FS[1]))).encode()
    packed = b"cdr=" + base64.b64encode(_json(freeswitch(FS[2])))
    compact = json.dumps(asterisk_json(1), separators=(",", ":")).encode()
    lines = ",".join(GRANDSTREAM.values()).replace("5487.10", "5487.11").encode()
    envelope = {"type": 30012, "sn": "1", "msg": json.dumps(YEASTAR_P_SERIES)}
    return [
        Posted("json", compact + b"\n", ("1795285487.1",)),
        Posted(
            "json", _json([asterisk_json(2), asterisk_json(3)]), ("1795285487.2", "1795285487.3")
        ),
        Posted("json", json.dumps(asterisk_json(4), indent=1).encode(), ("1795285487.4",)),
        Posted("fs", _json(freeswitch(FS[0])), FS[:1], f"?uuid={FS[0]}"),
        Posted("fs", form, FS[1:2], f"?uuid=a_{FS[1]}", _FORM),
        Posted("fs", packed, FS[2:3], headers=_BASE64),
        Posted("fs", FREESWITCH_XML, FS[3:]),
        Posted("yeastar", _json(YEASTAR), ("1795285487.6",)),
        Posted("yeastar", _json(envelope), ("20261121132447ABCDE",)),
        Posted("ucm", _json({"cdr": [GRANDSTREAM]}), ("1795285487.10",)),
        Posted("ucm", lines, ("1795285487.11",)),
        Posted("3cx", THREECX, ("00000179C8B2D34D_265500",)),
    ]


SOURCES = [
    {"name": "csv", "kind": "asterisk-csv"},
    {"name": "json", "kind": "asterisk-json", "pbx": "b"},
    {"name": "fs", "kind": "freeswitch", "pbx": "c"},
    {"name": "yeastar", "kind": "yeastar", "pbx": "d", "zone": "Europe/London"},
    {"name": "ucm", "kind": "grandstream", "pbx": "e"},
    {"name": "3cx", "kind": "3cx", "pbx": "f"},
]
"""A source for each kind, as in the settings."""
