"""Channel names and the arguments of Dial(), taken apart."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

LONGEST_LASTDATA: Final = 79
"""Asterisk cuts lastdata here (in bytes), so the last target of a longer one is not what was dialled."""

_MASKS: Final[tuple[str, ...]] = ("AsyncGoto/", "Bridge/", "Parked/", "Transfered/")
"""What Asterisk puts before the name of a channel that another one has taken the place of."""
NAMED_TECHS: Final = frozenset({"PJSIP", "SIP", "SCCP"})
"""Where the channel has the name that was dialled; that of a DAHDI group or an IAX2 host need not."""
_SERIAL_DIGITS: Final = 8
_ARGUMENTS: Final = re.compile(r"\([^)]*(\)|$)")
"""Of an option: F(context^exten^priority), G(...), U(routine,1)."""


def channel_base(channel: str) -> str:
    """`PJSIP/acme-101` of `PJSIP/acme-101-0000002a`: what the name says beyond the number of the call."""
    cut = channel.rfind("-")
    return unmasked(channel[:cut] if cut > 0 else channel)


def unmasked(base: str) -> str:
    """The name of the channel itself, of one whose place another channel has taken."""
    while base.count("/") > 1 and base.startswith(_MASKS):  # most names have one, and no mask
        base = base.partition("/")[2]
    return base


def channel_number(channel: str) -> int:
    """The number that Asterisk gave the channel: it grows, so it tells which of two came first."""
    if not channel:
        return -1
    digits = channel[channel.rfind("-") + 1 :].partition(";")[0]
    try:
        return int(digits, 16)
    except ValueError:
        return -1


def other_half(channel: str) -> str | None:
    """The other end of a Local channel, or None where it is no Local channel.

    What is dialled is half 1; half 2 runs through the dialplan.
    """
    if not channel.startswith("Local/") or _length(channel) == len(channel):
        return None
    digits = _digits(channel)
    if digits == 0 or len(channel) == len("Local/-;1") + digits:
        return None
    return channel[:-1] + ("2" if channel.endswith("1") else "1")


def whole(channel: str) -> str:
    """One name for both ends of a Local channel."""
    return channel[: _length(channel)]


def is_serial(channel: str) -> bool:
    """Whether its name ends in Asterisk's serial number, which no other channel has: `PJSIP/101-0000002a`."""
    return _digits(channel) >= _SERIAL_DIGITS


def _length(channel: str) -> int:
    """That of the name without `;1` or `;2`, by which the ends of a Local channel differ."""
    end = len(channel)
    return end - 2 if end > len(";1") and channel.endswith((";1", ";2")) else end


def _digits(channel: str) -> int:
    """How many digits the number has that the channel's name ends in; 0 where it ends in none."""
    end = at = _length(channel)
    while at > 1:
        at -= 1
        code = ord(channel[at])
        if code == ord("-"):
            return end - at - 1
        if not (ord("0") <= code <= ord("9") or ord("a") <= code <= ord("f")):
            break
    return 0


class Target(NamedTuple):
    """One destination of Dial(): a channel by its name without number, and what was dialled over it."""

    base: str
    number: str = ""
    """Empty where the endpoint itself was called."""


class Dialled(NamedTuple):
    """The arguments of Dial()."""

    targets: tuple[Target, ...] = ()
    options: str = ""
    """Their letters alone, without what stands in parentheses behind one."""
    complete: bool = True
    """False where Asterisk cut them, so that not every target is known."""


NOT_DIALLED: Final = Dialled()


@lru_cache(maxsize=1 << 14)
def parse_dial(lastdata: str) -> Dialled:
    """`PJSIP/a&PJSIP/b,30,tT` and `PJSIP/01632960111@trunk-alpha,30` with all their relatives."""
    complete = len(lastdata.encode("utf-8", "surrogateescape")) < LONGEST_LASTDATA
    parts = lastdata.split(",")
    targets = tuple(_target(text) for text in parts[0].split("&") if "/" in text)
    options = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004  the third argument: Dial(targets,timeout,options)
    if "(" in options:
        options = _ARGUMENTS.sub("", ",".join(parts[2:])).partition(",")[0]
    return Dialled(targets, options, complete)


def is_replaced(dialled: Dialled, reached: str) -> bool:
    """Whether the channel of that name is none of those that were dialled."""
    if not dialled.targets or not reached:
        return False
    for target in dialled.targets:
        if target.base == reached or target.base.partition("/")[0] not in NAMED_TECHS:
            return False
    return dialled.complete


def _target(text: str) -> Target:
    tech, _, rest = text.partition("/")
    rest = rest.partition("!")[0]
    line, _, called = rest.partition("/")
    if tech == "Local":
        return Target(f"Local/{line}")
    user, at, host = line.rpartition("@")
    if tech == "IAX2" or called:  # user:secret@host/number, trunk/number, group/number
        return Target(f"{tech}/{host.partition(':')[0]}", _user(called))
    return Target(f"{tech}/{host}", user if at else "")


def _user(called: str) -> str:
    """`+33145678901` of `sip:+33145678901@carrier.example:5060`, `number` of `number@context`."""
    scheme, colon, rest = called.partition(":")
    if colon and scheme.lower() in {"sip", "sips", "tel"}:
        called = rest
    return called.partition("@")[0]
