"""The story of a leg in words: for each property the rule that decided it, with the evidence it saw."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from cdrd.beside import CelEvent
from cdrd.enrich.attribution import decided_views
from cdrd.enrich.channels import channel_base
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import Party
from cdrd.enrich.legview import LegView
from cdrd.enrich.printable import printable
from cdrd.enrich.rules import SENTENCES
from cdrd.enrich.rules.by_event import at_exten, menu_passed
from cdrd.records import Attribution, Leg, UnattributedReason

_WHY_NOT = {
    UnattributedReason.NO_MATCH: "nothing in the directory owns any part of the leg",
    UnattributedReason.AMBIGUOUS: "two companies have the extension that calls, nothing tells which it is",
    UnattributedReason.NO_DIRECTORY: "no directory has been applied",
    UnattributedReason.FAULT: "a rule failed on this leg; the log has the words",
}
_UNKNOWABLE = "the legs at hand cannot tell"
_OTHER_VERSION = "decided by a rule of another version of cdrd"
_UNSAID = ("acctid", "reason", "rules")


def explain(
    leg: Leg,
    call: Sequence[Leg],
    attribution: Attribution,
    directory: Directory | None,
    events: Sequence[CelEvent] = (),
) -> Iterator[str]:
    """One line for each property that is filled, in the order of the attribution.

    Nothing that a caller or a PBX wrote reaches the terminal as more than visible characters.
    """
    rules: Mapping[str, str] = json.loads(attribution.rules)
    evidence = _evidence(leg, call, directory, events) if directory is not None else {}
    said = {**evidence, **_decisions(attribution)}
    for name, value in attribution._asdict().items():
        rule = rules.get(name)
        if name in _UNSAID or (rule is None and value in (None, False)):
            continue
        words = _UNKNOWABLE if value in (None, False) else _sentence(rule, said)
        named = f" (rule {rule})" if rule else ""
        yield f"{name} {_value(value)}: {words}{named}"
    if attribution.reason is not None:
        yield f"company unknown: {_WHY_NOT[attribution.reason]} (reason {attribution.reason})"


def _value(value: object) -> str:
    if value is True:
        return "true"
    return "unknown" if value in (None, False) else printable(str(value))


def _sentence(rule: str | None, said: Mapping[str, str]) -> str:
    if rule is None:
        return "no rule is recorded"
    return SENTENCES.get(rule, _OTHER_VERSION).format_map(_Evidence(said))


class _Evidence(dict[str, str]):
    """Evidence that is not at hand is said to be missing, in words."""

    def __missing__(self, key: str) -> str:
        return f"(no {key})"


def _decisions(attribution: Attribution) -> dict[str, str]:
    names = ("company", "target", "bill_to", "auth")
    return {name: printable(v) for name in names if (v := getattr(attribution, name))}


def _evidence(
    leg: Leg, call: Sequence[Leg], directory: Directory, events: Sequence[CelEvent]
) -> dict[str, str]:
    views = decided_views([leg, *(other for other in call if other != leg)], directory, events)
    view = next(view for view in views if view.leg is leg)
    columns = (
        "channel",
        "dstchannel",
        "src",
        "dst",
        "dcontext",
        "accountcode",
        "lastapp",
        "lastdata",
    )
    found = {name: getattr(leg, name) for name in columns} | _linked(view) | _heard(view)
    return {name: printable(str(value)) for name, value in found.items() if value}


def _linked(view: LegView) -> dict[str, str | None]:
    """What other legs and the directory told."""
    dialler = view.dialler
    reached = view.reached
    return {
        "dialler": dialler.leg.channel if dialler else None,
        "did": view.did.number if view.did else view.noted_number or view.leg.dst,
        "extension": (reached.extension if reached else None) or view.origin.extension,
        "forwarder": _named(view.forwarder) or _origin(view),
        "local": channel_base(view.leg.dstchannel).removeprefix("Local/"),
        "originated": _rung_first(view) or channel_base(view.leg.channel).removeprefix("Local/"),
        "recording_column": view.columns.recording,
        "ringing": view.leg.channel,
        "transferrer": _named(view.transferrer),
    }


def _heard(view: LegView) -> dict[str, str | None]:
    """What channel events told."""
    told = view.told
    if told is None:
        return {}
    channel, transfer, parked_by = told.channel, told.transfer, told.parked_by
    attended = transfer is not None and transfer.attended
    return {
        "at_exten": at_exten(view),
        "rang": told.pickup.rang if told.pickup else None,
        "keyed": channel.keyed if channel else None,
        "menu": menu_passed(view),
        "number_heard": next(view.heard_numbers(), None),
        "parked_with": parked_by.exten if parked_by else None,
        "picker": _named(view.picker),
        "pin_extension": view.attribution.auth if view.attribution is not None else None,
        "recorder": channel.name if channel else None,
        "transfer_event": "ATTENDEDTRANSFER" if attended else "BLINDTRANSFER",
    }


def _rung_first(view: LegView) -> str | None:
    """Whom the second half of a Local channel called."""
    second = view.other_half if view.leg.channel.endswith(";1") else view
    return _named(second.called) if second is not None else None


def _origin(view: LegView) -> str:
    extension, company = view.origin.extension, view.origin.company
    return f"extension {extension} of {company}" if extension else f"a telephone of {company}"


def _named(party: Party | None) -> str | None:
    if party is None or not party.base:
        return None
    owner = f" (extension {party.extension} of {party.company})" if party.extension else ""
    return party.base + owner
