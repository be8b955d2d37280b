"""Call records of FreeSWITCH: the documents of mod_json_cdr and mod_xml_cdr, one a leg.

| document | leg |
|---|---|
| variables.start_epoch, answer_epoch (0 is none), end_epoch | calldate, answerdate, enddate |
| callflow[0].caller_profile.caller_id_name, caller_id_number | clid, src |
| callflow[0].caller_profile.destination_number, context | dst, dcontext |
| variables.channel_name (or the profile's chan_name), bridge_channel | channel, dstchannel |
| variables.last_app, last_arg | lastapp, lastdata |
| variables.duration, billsec, accountcode | duration, billsec, accountcode |
| variables.uuid | uniqueid |
| variables.call_uuid, else the other leg's uuid (see `_linkedid`), else uuid | linkedid |
| variables.hangup_cause and whether it was answered | disposition |
| everything else, hangup_cause too | extra, in the document's own form |

callflow[0] is the newest profile, so dst is where the call went in the end, as in Asterisk.
Variables are URL-encoded unless `encode-values` is off; a document does not say which, but what is
encoded has no blank, colon or quote in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from cdrd.decode.instants import epoch_instant
from cdrd.decode.pushed import (
    Document,
    Received,
    clid,
    json_document,
    leg_of,
    outcome,
    plain,
    text_of,
)
from cdrd.decode.values import Problem
from cdrd.decode.xml_tree import xml_document
from cdrd.records import Decoded, Leg, Reason, Rejected

_NEVER_IN_ENCODED = frozenset(' ":<>')
_TAKEN = frozenset(
    (
        *("start_epoch", "answer_epoch", "end_epoch", "duration", "billsec", "accountcode"),
        *("uuid", "call_uuid", "last_app", "last_arg", "channel_name", "bridge_channel"),
    )
)
_BUSY = frozenset(("USER_BUSY",))
_CONGESTION = frozenset(
    ("NORMAL_CIRCUIT_CONGESTION", "SWITCH_CONGESTION", "REQUESTED_CHAN_UNAVAIL")
)
_NO_ANSWER = frozenset(
    (
        *("", "NONE", "NORMAL_CLEARING", "ORIGINATOR_CANCEL", "NO_ANSWER", "NO_USER_RESPONSE"),
        *("CALL_REJECTED", "ALLOTTED_TIMEOUT", "LOSE_RACE", "PICKED_OFF", "NORMAL_UNSPECIFIED"),
        *("PROGRESS_TIMEOUT", "BLIND_TRANSFER", "ATTENDED_TRANSFER", "MANAGER_REQUEST"),
    )
)
"""Nobody took it; as with Asterisk also when the caller hung up first or the phone declined."""


def freeswitch_json(raw: bytes, *, line: int = 1, offset: int = 0) -> Decoded | Rejected:
    """A document of mod_json_cdr."""
    return _outcome(Received(raw, line, offset), json_document(raw))


def freeswitch_xml(raw: bytes, *, line: int = 1, offset: int = 0) -> Decoded | Rejected:
    """A document of mod_xml_cdr."""
    found = xml_document(raw, "cdr")
    if isinstance(found, Problem):
        return _outcome(Received(raw, line, offset), found)
    if isinstance(found.get("callflow"), dict):
        found["callflow"] = [found["callflow"]]
    return _outcome(Received(raw, line, offset), plain(found))


def _outcome(place: Received, document: Document | Problem) -> Decoded | Rejected:
    if isinstance(document, Problem):
        return outcome(place, document)
    said = document.content if isinstance(document.content, dict) else {}
    encoded = said.get("variables")
    if not isinstance(encoded, dict):
        return outcome(place, Problem(Reason.MISSING_FIELD, "there are no variables"))
    variables = _decoded(encoded)
    clean = plain(variables, is_exact=document.is_exact and not _has_lost(encoded, variables))
    if isinstance(clean, Problem):
        return outcome(place, clean)
    return outcome(place, _leg(said, clean.content), is_exact=clean.is_exact)


def _decoded(variables: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: text_of(value) for name, value in variables.items()}
    if any(_NEVER_IN_ENCODED.intersection(text) for text in texts.values()):
        return texts
    return {name: unquote(text) for name, text in texts.items()}


def _has_lost(encoded: Mapping[str, Any], decoded: Mapping[str, str]) -> bool:
    """Whether what was URL-encoded was no UTF-8."""
    return any(
        "\ufffd" in text and "\ufffd" not in text_of(encoded[k]) for k, text in decoded.items()
    )


def _leg(said: Mapping[str, Any], variables: Mapping[str, str]) -> Leg | Problem:
    profile = _profile(said)
    number = text_of(profile.get("caller_id_number"))
    variable = variables.get
    uuid = variable("uuid") or text_of(profile.get("uuid"))
    if not uuid:
        return Problem(Reason.MISSING_FIELD, "there is no uuid")
    times = [_instants(variable(f"{name}_epoch", "")) for name in ("start", "answer", "end")]
    texts = {
        "start": variable("start_epoch", ""),
        "answer": variable("answer_epoch", ""),
        "end": variable("end_epoch", ""),
        "clid": clid(text_of(profile.get("caller_id_name")), number),
        "src": number,
        "dst": text_of(profile.get("destination_number")),
        "dcontext": text_of(profile.get("context")),
        "channel": variable("channel_name") or text_of(profile.get("chan_name")),
        "dstchannel": variable("bridge_channel", ""),
        "lastapp": variable("last_app", ""),
        "lastdata": variable("last_arg", ""),
        "duration": variable("duration", ""),
        "billsec": variable("billsec", ""),
        "disposition": _disposition(variable("hangup_cause", ""), is_answered=bool(times[1])),
        "accountcode": variable("accountcode", ""),
        "uniqueid": uuid,
        "linkedid": _linkedid(variables, profile) or uuid,
    }
    rest = {name: text for name, text in variables.items() if name not in _TAKEN}
    return leg_of(texts, times, {**said, "variables": rest})


def _profile(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest caller profile."""
    flows = said.get("callflow")
    first = flows[0] if isinstance(flows, list) and flows else flows
    profile = first.get("caller_profile") if isinstance(first, dict) else None
    return profile if isinstance(profile, dict) else {}


def _linkedid(variables: Mapping[str, str], profile: Mapping[str, Any]) -> str:
    """The first leg's uuid, as every leg of the call knows it.

    A leg that was dialled out names the leg it was dialled for; the first leg must not take the uuid of
    one that it dialled, so `signal_bond` and `bridge_uuid` count for outbound legs only.
    """
    if variables.get("call_uuid"):
        return variables["call_uuid"]
    if variables.get("direction", "") != "outbound":
        return ""
    named = (variables.get(name) for name in ("originating_leg_uuid", "signal_bond", "bridge_uuid"))
    return _originator(profile) or next(filter(None, named), "")


def _originator(profile: Mapping[str, Any]) -> str:
    inner: Any = profile.get("originator")
    for name in ("originator_caller_profiles", "originator_caller_profile"):
        inner = inner.get(name, inner) if isinstance(inner, dict) else inner
        inner = inner[0] if isinstance(inner, list) and inner else inner
    return text_of(inner.get("uuid")) if isinstance(inner, dict) else ""


def _instants(epoch: str) -> tuple[datetime, ...] | None:
    if not epoch.strip("0"):
        return ()
    instant = epoch_instant(epoch)
    return (instant,) if instant else None


def _disposition(cause: str, *, is_answered: bool) -> str:
    if is_answered:
        return "ANSWERED"
    if cause in _NO_ANSWER:
        return "NO ANSWER"
    if cause in _BUSY:
        return "BUSY"
    return "CONGESTION" if cause in _CONGESTION else "FAILED"
