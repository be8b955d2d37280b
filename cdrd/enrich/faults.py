"""Calls that the rules, or the database, failed on: told once for all that failed on the same line."""

from __future__ import annotations

import traceback
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from cdrd import metrics
from cdrd.logs import get_logger, mask_number
from cdrd.records import AcctId

_NAMED = 20
"""So many acctids of a fault are written into the log."""
_LONGEST = 500

_PARKED = "The legs are parked; a newer directory or the next start decides them again."
_WITHOUT_EVENTS = "The legs are decided as if their calls had no such events."

_log = get_logger(stage="enrich")


class Fault(NamedTuple):
    """A call that the rules failed on."""

    acctids: Sequence[AcctId]
    error: Exception
    parked: bool = True
    """Nothing is decided of it; else it was decided without the events that the rules failed on."""


def tell_faults(faults: Sequence[Fault]) -> None:
    """One event for all calls that the same line failed on; numbers are masked, for errors quote values."""
    alike: defaultdict[tuple[str, str, bool], list[Fault]] = defaultdict(list)
    for fault in faults:
        alike[type(fault.error).__name__, place_of(fault.error), fault.parked].append(fault)
    for (kind, place, parked), calls in alike.items():
        metrics.faults.labels("enrich", kind).inc(len(calls))
        acctids = [acctid for call in calls for acctid in call.acctids]
        _log.error(
            "attribution_failed",
            error=mask_number(f"{kind}: {calls[0].error}")[:_LONGEST],
            place=place,
            calls=len(calls),
            legs=len(acctids),
            acctids=acctids[:_NAMED],
            hint=_PARKED if parked else _WITHOUT_EVENTS,
        )


def place_of(error: BaseException) -> str:
    """The line of our code that an error came from, as `origin.py:42 of_account_code`."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    return f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}"
