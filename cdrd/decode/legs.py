"""The texts of a record become a leg, or the reason why not; the same for every kind of record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cdrd.decode import values
from cdrd.decode.times import Evidence, Moment, Printed, epoch_of, settle
from cdrd.decode.values import Problem, shown
from cdrd.records import Leg, Reason

ASTERISK_NAMES = (
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
    "peeraccount",
    "linkedid",
    "sequence",
)
"""The fields of a CDR by Asterisk's names, in the order of a Master.csv with every option on."""

REQUIRED = ("start", "src", "dst", "duration", "billsec", "disposition")
"""What a record must have, however it is written: without these nobody can be billed."""

TIMES = ("start", "answer", "end")
TEXTS = ("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata")
"""What stands between the times and the seconds of a row, taken as it is."""
ALIASES = {"calldate": "start", "answerdate": "answer", "enddate": "end"}


class Manner(NamedTuple):
    """How a source writes what can be written in more than one way."""

    fractions: bool = False
    """Seconds may have a fraction, which is cut off."""
    numeric_disposition: bool = False


class Reading(NamedTuple):
    """A leg, and whether the texts said more than it does."""

    leg: Leg
    cut: bool


class _Numbers(NamedTuple):
    duration: values.Number
    billsec: values.Number
    sequence: values.Number | None


class _Names(NamedTuple):
    disposition: str
    amaflags: int
    uniqueid: str | None
    linkedid: str | None


def printed_times(moments: Sequence[Moment | None], texts: Sequence[str]) -> Printed | Problem:
    """The times of a record, in the order of TIMES; there is no leg without a start."""
    for name, moment, text in zip(TIMES, moments, texts, strict=True):
        if moment is None or (name == "start" and not moment.instants):
            detail = f"{name} is {shown(text)}, expected a date and time like 2026-11-21 13:24:47"
            return Problem(Reason.BAD_TIME, detail)
    return Printed(*(moment for moment in moments if moment is not None))


def read_leg(
    texts: Mapping[str, str],
    printed: Printed,
    manner: Manner = Manner(),  # noqa: B008 - an immutable value
    extra: dict[str, Any] | None = None,
) -> Reading | Problem:
    """Check the texts of a record, by Asterisk's names, and make a leg of them."""
    numbers = _numbers(texts, fractions=manner.fractions)
    if isinstance(numbers, Problem):
        return numbers
    names = _names(texts, numeric=manner.numeric_disposition)
    if isinstance(names, Problem):
        return names
    seconds = Evidence(epoch_of(names.uniqueid), numbers.duration.value, numbers.billsec.value)
    text = texts.get
    leg = Leg(
        *settle(printed, seconds),
        clid=text("clid", ""),
        src=text("src", ""),
        dst=text("dst", ""),
        dcontext=text("dcontext", ""),
        channel=text("channel", ""),
        dstchannel=text("dstchannel", ""),
        lastapp=text("lastapp", ""),
        lastdata=text("lastdata", ""),
        duration=numbers.duration.value,
        billsec=numbers.billsec.value,
        disposition=names.disposition,
        amaflags=names.amaflags,
        accountcode=text("accountcode", ""),
        uniqueid=names.uniqueid,
        linkedid=names.linkedid,
        sequence=numbers.sequence.value if numbers.sequence else None,
        peeraccount=text("peeraccount"),
        userfield=text("userfield"),
        extra=extra,
    )
    return Reading(leg, printed.cut or numbers.duration.cut or numbers.billsec.cut)


def _numbers(texts: Mapping[str, str], *, fractions: bool) -> _Numbers | Problem:
    duration = values.number(texts["duration"], "duration", fractions=fractions)
    if isinstance(duration, Problem):
        return duration
    billsec = values.number(texts["billsec"], "billsec", fractions=fractions)
    if isinstance(billsec, Problem):
        return billsec
    sequence = values.optional_number(texts.get("sequence"), "sequence")
    if isinstance(sequence, Problem):
        return sequence
    return _Numbers(duration, billsec, sequence)


def _names(texts: Mapping[str, str], *, numeric: bool) -> _Names | Problem:
    disposition = values.disposition(texts["disposition"], numeric=numeric)
    if isinstance(disposition, Problem):
        return disposition
    amaflags = values.amaflags(texts.get("amaflags", ""))
    if isinstance(amaflags, Problem):
        return amaflags
    uniqueid = values.identity(texts.get("uniqueid"), "uniqueid")
    if isinstance(uniqueid, Problem):
        return uniqueid
    linkedid = values.identity(texts.get("linkedid"), "linkedid")
    if isinstance(linkedid, Problem):
        return linkedid
    return _Names(disposition, amaflags, uniqueid, linkedid)
