"""The texts of a channel event become a CelEvent, or the reason why not; the same for file and socket."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cdrd.beside import CelEvent
from cdrd.decode import values
from cdrd.decode.instants import clock_instants, epoch_instant, not_before
from cdrd.decode.json_text import decoded_object
from cdrd.decode.times import epoch_of
from cdrd.decode.values import Problem, shown
from cdrd.records import Reason

REQUIRED = ("eventtype", "eventtime", "uniqueid", "linkedid")
"""What an event must have to be of any use."""

TEXTS = (
    "channame",
    "exten",
    "context",
    "appname",
    "appdata",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "accountcode",
    "peeraccount",
    "userfield",
    "peer",
    "userdeftype",
)
"""Fields that are taken as they are."""

KNOWN = frozenset((*REQUIRED, *TEXTS, "amaflags", "extra"))

_ESCAPED_NUL_OR_SURROGATE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def event_time(printed: Sequence[str], zone: ZoneInfo, uniqueid: str) -> datetime | None:
    """The time of an event, of all the ways in which a record has it: an epoch, else what is unambiguous.

    A local time in the doubled hour is the first that is not before the channel was made.
    """
    for text in printed:
        if epoch := epoch_instant(text):
            return epoch
    found = [instants for text in printed if (instants := clock_instants(text, zone))]
    return not_before(min(found, key=len, default=()), epoch_of(uniqueid))


def read_event(
    texts: Mapping[str, str], eventtime: datetime | None, others: Mapping[str, Any]
) -> CelEvent | Problem:
    """Check the texts of an event, by the names of CelEvent; `others` are columns that it has not."""
    if eventtime is None:
        time = shown(texts.get("eventtime", ""))
        return Problem(
            Reason.BAD_TIME, f"eventtime is {time}, expected an epoch or a date and time"
        )
    missing = [name for name in REQUIRED if name != "eventtime" and not texts.get(name)]
    if missing:
        return Problem(Reason.MISSING_FIELD, f"there is no {', no '.join(missing)}")
    amaflags = values.amaflags(texts.get("amaflags", ""))
    if isinstance(amaflags, Problem):
        return amaflags
    for name in ("uniqueid", "linkedid"):
        problem = values.identity(texts[name], name)
        if isinstance(problem, Problem):
            return problem
    return CelEvent(
        eventtime,
        texts["eventtype"],
        texts["uniqueid"],
        texts["linkedid"],
        amaflags=amaflags,
        extra=_extra(texts.get("extra", ""), others),
        **{name: texts.get(name, "") for name in TEXTS},
    )


def extra_object(text: str) -> dict[str, Any] | None:
    """The event's own JSON; what is broken, or more than PostgreSQL takes, is kept as a text."""
    if not text:
        return None
    try:
        found = decoded_object(text)
        json.dumps(found, allow_nan=False)
    except (ValueError, RecursionError):
        return {"text": text}
    return {"text": text} if _ESCAPED_NUL_OR_SURROGATE.search(text) else found


def _extra(text: str, others: Mapping[str, Any]) -> dict[str, Any] | None:
    found = extra_object(text) or {}
    return {**others, **found} or None
