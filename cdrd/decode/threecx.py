"""Call records of 3CX, from its cdr.log, its one file per call, or its socket: a line with commas each.

Which fields there are and in which order is chosen in 3CX; the settings say the same, with `-` for a column
that is not wanted. Nothing is quoted, so a comma in a display name makes one column too many, and the
record is rejected.

| field | leg |
|---|---|
| time-start, time-answered, time-end; `2026/11/21 13:24:47` in files, with dashes on the socket | calldate… |
| time-end - time-start, time-end - time-answered; without an end duration, the talking | duration, billsec |
| from-no without `Ext.`; from-dispname | src; clid |
| dial-no, else to-no, without `Ext.` | dst |
| from-dn; final-dn, else to-dn | channel; dstchannel |
| reason-terminated, and whether it was answered | disposition |
| chain | lastdata |
| bill-code | accountcode |
| historyid without `Call `: all records of a call have it | linkedid |
| callid, else historyid | uniqueid |
| everything else | extra |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cdrd.decode import values
from cdrd.decode.grammar import Found, Stretch, UsualLine
from cdrd.decode.instants import instants_of
from cdrd.decode.pushed import Received, clid, leg_of, outcome
from cdrd.decode.values import Problem, shown
from cdrd.errors import SettingsError
from cdrd.records import Decoded, Leg, Reason, Rejected

COLUMNS = (
    *("historyid", "callid", "duration", "time-start", "time-answered", "time-end"),
    *("reason-terminated", "from-no", "to-no", "from-dn", "to-dn", "dial-no", "reason-changed"),
    *("final-number", "final-dn", "bill-code", "bill-rate", "bill-cost", "bill-name", "chain"),
    *("from-type", "to-type", "final-type", "from-dispname", "to-dispname", "final-dispname"),
    "missed-queue-calls",
)
"""All fields, in the order in which 3CX offers them."""

NEEDED = ("time-start", "from-no", "to-no")

_UNWANTED = "-"

_TAKEN = frozenset(
    (
        *("historyid", "callid", "time-start", "time-answered", "time-end", "from-no"),
        *("from-dn", "chain", "bill-code", "from-dispname", _UNWANTED),
    )
)
_BUSY = ("busy",)
_FAILED = ("fail", "notfound", "invalid", "forbidden", "error", "license", "nolinesavailable")
_CLOCK_PARTS = 3


class ThreeCxGrammar:
    """How the records of one 3CX are read."""

    def __init__(
        self, columns: Sequence[str] = COLUMNS, zone: str = "UTC", max_record_bytes: int = 65536
    ) -> None:
        missing = [f"columns: {name} is missing" for name in NEEDED if name not in columns]
        unknown = [
            f"columns: {name} is no field of 3CX"
            for name in columns
            if name not in (*COLUMNS, _UNWANTED)
        ]
        if missing or unknown:
            raise SettingsError([*missing, *unknown], hint="name the fields as 3CX does")
        self.max_record_bytes = max_record_bytes
        self._columns = tuple(columns)
        self._zone = ZoneInfo(zone)

    def record(self, raw: bytes, *, line: int, offset: int) -> Decoded | Rejected:
        """Read one line, with or without its newline."""
        text = raw.decode(errors="replace").strip("\r\n\ufeff")
        place = Received(raw, line, offset)
        if "\0" in text:
            return outcome(place, Problem(Reason.NUL_BYTES, "NUL bytes"))
        fields = text.split(",")
        expected = f"{len(fields)} columns, expected {len(self._columns)}"
        if len(fields) < len(self._columns):
            return outcome(place, Problem(Reason.TOO_FEW_COLUMNS, expected))
        if len(fields) > len(self._columns):
            return outcome(place, Problem(Reason.TOO_MANY_COLUMNS, expected))
        said = dict(zip(self._columns, map(str.strip, fields), strict=True))
        return outcome(place, _leg(said, self._zone), is_exact="\ufffd" not in text)

    def find(self, stretch: Stretch) -> Found | None:
        """A record ends with its line."""
        end = stretch.data.find(b"\n", stretch.start, stretch.limit) + 1
        return Found(end) if end else None

    def glued(self, _raw: bytes) -> int | None:
        """Nothing tells where a record begins on a line."""
        return None

    def usual(self, _like: bytes) -> UsualLine | None:
        """There is no fast path."""
        return None

    def usual_texts(self, texts: list[str], _data: bytes) -> list[str]:
        """There is no fast path."""
        return texts


def _leg(said: Mapping[str, str], zone: ZoneInfo) -> Leg | Problem:
    get = said.get
    times = _times(said, zone)
    if isinstance(times, Problem):
        return times
    seconds = _seconds(get("duration", ""), times)
    if isinstance(seconds, Problem):
        return seconds
    number = _number(said["from-no"])
    call = get("historyid", "").removeprefix("Call ").strip()
    texts = {
        "start": get("time-start", ""),
        "answer": get("time-answered", ""),
        "end": get("time-end", ""),
        "clid": clid(get("from-dispname", ""), number),
        "src": number,
        "dst": _number(get("dial-no") or said["to-no"]),
        "channel": _number(get("from-dn", "")),
        "dstchannel": _number(get("final-dn") or get("to-dn", "")),
        "lastdata": get("chain", "").removeprefix("Chain:").strip(),
        "duration": str(seconds[0]),
        "billsec": str(seconds[1]),
        "disposition": _disposition(get("reason-terminated", ""), is_answered=times[1] is not None),
        "accountcode": get("bill-code", ""),
        "uniqueid": get("callid") or call,
        "linkedid": call or get("callid", ""),
    }
    extra = {name: text for name, text in said.items() if text and name not in _TAKEN}
    return leg_of(texts, [(time,) if time else () for time in times], extra)


def _times(said: Mapping[str, str], zone: ZoneInfo) -> list[datetime | None] | Problem:
    """Start, answer and end; in the doubled hour each is the first that is not before the one before."""
    found: list[datetime | None] = []
    latest = None
    for name in ("time-start", "time-answered", "time-end"):
        text = said.get(name, "")
        instants = instants_of(text, zone) if text else ()
        later = [instant for instant in instants if latest is None or instant >= latest]
        if (text or name == "time-start") and not later:
            reason = "before the time in front of it" if instants else "no date and time"
            return Problem(Reason.BAD_TIME, f"{name} is {shown(text)}, {reason}")
        latest = later[0] if later else latest
        found.append(later[0] if later else None)
    return found


def _seconds(talked: str, times: Sequence[datetime | None]) -> tuple[int, int] | Problem:
    """Seconds from start to end, and of talking."""
    talk = _clock_seconds(talked)
    if isinstance(talk, Problem):
        return talk
    start, answered, end = times
    if start is None or end is None:
        return talk, talk if answered else 0
    billed = end - answered if answered else timedelta()
    return int((end - start).total_seconds()), int(billed.total_seconds())


def _clock_seconds(text: str) -> int | Problem:
    """`00:01:02`, or nothing."""
    if not text:
        return 0
    parts = [values.number(part, "duration") for part in text.split(":")]
    numbers = [part.value for part in parts if not isinstance(part, Problem)]
    if len(numbers) != len(parts) or len(numbers) != _CLOCK_PARTS:
        return Problem(Reason.BAD_NUMBER, f"duration is {shown(text)}, expected 00:01:02")
    hours, minutes, seconds = numbers
    total = 3600 * hours + 60 * minutes + seconds
    return (
        total if total <= values.MAX_NUMBER else Problem(Reason.BAD_NUMBER, "duration is too long")
    )


def _number(text: str) -> str:
    return text.removeprefix("Ext.")


def _disposition(reason: str, *, is_answered: bool) -> str:
    if is_answered:
        return "ANSWERED"
    words = reason.lower()
    if any(word in words for word in _BUSY):
        return "BUSY"
    return "FAILED" if any(word in words for word in _FAILED) else "NO ANSWER"
