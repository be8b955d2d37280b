"""The fast path of cdr_csv: a line exactly as Asterisk writes nearly all of them becomes a row.

A line is cut at `","`, which is right as long as the row that is made of it has no quotes but those of
clid, where they were doubled: then all others were a separator's, around the numbers, at the beginning
or at the end. Whatever does not add up, or is in no table of usual values, is None: the careful path
decides. Nothing is decided here that the careful path would decide otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from cdrd.decode.copytext import NULL
from cdrd.decode.grammar import UsualLine
from cdrd.decode.times import UsualTimes
from cdrd.decode.values import AMAFLAGS, DISPOSITIONS, SHORT_NUMBERS, usual_sequence

NameOf17th = Callable[[str], str]
LastColumns = Callable[[str, Sequence[str]], str]

_OLD_COLUMNS: Final = 18
_START: Final = 9
_ANSWER: Final = 10
_END: Final = 11
_UNANSWERED: Final = {",,": NULL}
_WITH_EITHER: Final = 2
_WITH_BOTH: Final = 3


def usual_line(columns: int, times: UsualTimes, name_of_17th: NameOf17th) -> UsualLine:
    """The fast path for lines of so many columns; they are escaped for COPY already."""
    answered_parts = columns - (3 if columns <= _OLD_COLUMNS else 4)
    last_columns = _last_columns(columns, name_of_17th)

    def row(line: str, number: int, offset: int) -> str | None:
        parts = line.split('","')
        try:
            if len(parts) == answered_parts:
                start, answer, last = parts[_START], times[parts[_ANSWER]], parts[_END + 1 :]
                end, seconds, disposition = parts[_END].split('"')
            else:
                start, gap, end, seconds, disposition = parts[_START].split('"')
                answer, last = _UNANSWERED[gap], parts[_START + 1 :]
            before, duration, billsec, behind = seconds.split(",")
            if before or behind or line[0] != '"':
                return None
            clid = parts[4]
            if '"' in clid:
                doubled, clid = clid.count('"'), clid.replace('""', '"')
                if 2 * clid.count('"') != doubled:
                    return None
            behind_clid = (
                f"\t{parts[1]}\t{parts[2]}\t{parts[3]}\t{parts[5]}\t{parts[6]}"
                f"\t{parts[7]}\t{parts[8]}"
                f"\t{SHORT_NUMBERS[duration]}\t{SHORT_NUMBERS[billsec]}"
                f"\t{DISPOSITIONS[disposition]}\t{last_columns(parts[0][1:], last)}"
            )
            if '"' in behind_clid:
                return None
            return (
                f"{number}\t{offset}\t{times[start]}\t{answer}\t{times[end]}\t{clid}{behind_clid}"
            )
        except (KeyError, ValueError, IndexError):
            return None

    return row


def _last_columns(columns: int, name_of_17th: NameOf17th) -> LastColumns:
    """(accountcode, what follows the disposition) → amaflags to the end, in the order of COPY."""
    if columns == _OLD_COLUMNS:
        return _last_of_18
    count = 1 + (columns - 16) % 3  # amaflags, and with it uniqueid or userfield or both

    def row_end(accountcode: str, last: Sequence[str]) -> str:
        *texts, linkedid, sequence, peeraccount = _opened(last, is_new=columns > _OLD_COLUMNS)
        if len(texts) != count:
            raise ValueError
        uniqueid = userfield = NULL
        if count == _WITH_BOTH:
            uniqueid, userfield = texts[1] or NULL, texts[2]
        elif count == _WITH_EITHER and name_of_17th(texts[1]) == "uniqueid":
            uniqueid = texts[1] or NULL
        elif count == _WITH_EITHER:
            userfield = texts[1]
        return (
            f"{AMAFLAGS[texts[0]]}\t{accountcode}\t{uniqueid}"
            f"\t{linkedid or NULL}\t{sequence}\t{peeraccount}\t{userfield}\t{NULL}\t{NULL}"
        )

    return row_end


def _opened(last: Sequence[str], *, is_new: bool) -> tuple[str, ...]:
    """The quoted columns that follow the disposition, then linkedid, sequence, peeraccount."""
    if not is_new:
        return *last[:-1], _closed(last[-1]), NULL, NULL, NULL
    linkedid, sequence = last[-1].split('",')
    return *last[:-2], linkedid, usual_sequence(sequence), last[-2]


def _closed(text: str) -> str:
    if text[-1] != '"':
        raise ValueError
    return text[:-1]


def _last_of_18(accountcode: str, last: Sequence[str]) -> str:
    """The layout that nearly every PBX writes."""
    amaflags, uniqueid, userfield = last
    if userfield[-1] != '"':
        raise ValueError
    return (
        f"{AMAFLAGS[amaflags]}\t{accountcode}\t{uniqueid or NULL}"
        f"\t{NULL}\t{NULL}\t{NULL}\t{userfield[:-1]}\t{NULL}\t{NULL}"
    )
