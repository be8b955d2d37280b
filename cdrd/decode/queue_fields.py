"""What the data of each queue event mean: a table, and what reports ask of it.

The names are those of Asterisk's `queue_log` documentation. Old versions write fewer values than the
table has names (CONNECT without ringtime, COMPLETECALLER without origpos), so every look-up may find nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from cdrd.beside import QueueEvent

_LEFT = ("position", "origpos", "waittime")
_TALKED = ("holdtime", "calltime", "origpos")
_MOVED = ("exten", "context", *_TALKED)

FIELDS: dict[str, tuple[str, ...]] = {
    "QUEUESTART": (),
    "CONFIGRELOAD": (),
    "ENTERQUEUE": ("url", "callerid", "origpos", "callerid_name"),
    "CONNECT": ("holdtime", "member_uniqueid", "ringtime"),
    "COMPLETECALLER": _TALKED,
    "COMPLETEAGENT": _TALKED,
    "ABANDON": _LEFT,
    "EXITEMPTY": _LEFT,
    "EXITWITHTIMEOUT": _LEFT,
    "EXITWITHKEY": ("key", *_LEFT),
    "WITHDRAW": (*_LEFT, "info"),
    "RINGNOANSWER": ("ring_milliseconds",),
    "RINGCANCELED": ("ring_milliseconds",),
    "BLINDTRANSFER": _MOVED,
    "TRANSFER": _MOVED,
    "ATTENDEDTRANSFER": ("method", "target", *_TALKED),
    "AGENTDUMP": (),
    "SYSCOMPAT": (),
    "ADDMEMBER": ("paused",),
    "REMOVEMEMBER": (),
    "PAUSE": ("reason",),
    "UNPAUSE": ("reason",),
    "PAUSEALL": ("reason",),
    "UNPAUSEALL": ("reason",),
    "PENALTY": ("penalty",),
    "RINGINUSE": ("ringinuse",),
    "AGENTLOGIN": ("channel",),
    "AGENTLOGOFF": ("channel", "logged_in"),
    "AGENTCALLBACKLOGIN": ("login",),
    "AGENTCALLBACKLOGOFF": ("login", "logged_in", "reason"),
    "OUTCALL": ("status", "calltime", "params"),
}
"""Event → names of its data. What is not here is kept without names."""

_LINK = ("method", "target", "second_channel", *_TALKED)
"""ATTENDEDTRANSFER by linking two bridges: one value more than BRIDGE and APP."""

_ENDS_IN_TEXT = (
    "ENTERQUEUE",
    "WITHDRAW",
    "PAUSE",
    "UNPAUSE",
    "PAUSEALL",
    "UNPAUSEALL",
    "AGENTCALLBACKLOGOFF",
    "OUTCALL",
)
_SPLITS = {event: len(FIELDS[event]) - 1 for event in _ENDS_IN_TEXT}
"""Where the last value is a free text, `|` in it belongs to it."""

_COLUMNS_OF_DATABASE = 5


def split_data(event: str, rest: str) -> list[str]:
    """What a line of queue_log has behind the event's name."""
    return rest.split("|", _SPLITS.get(event, -1)) if rest else []


def data_of_columns(event: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The data of a realtime queue_log table, which has five columns and no sixth.

    The sixth value of an ATTENDEDTRANSFER by LINK is glued to the fifth with `|`.
    """
    data = list(columns)
    while data and not data[-1]:
        data.pop()
    is_link = event == "ATTENDEDTRANSFER" and data[:1] == ["LINK"]
    if is_link and len(data) == _COLUMNS_OF_DATABASE:
        data[-1:] = data[-1].split("|", 1)
    return tuple(data)


def names_of(event: QueueEvent) -> tuple[str, ...]:
    """The names of an event's data; empty for an unknown event."""
    if event.event == "ATTENDEDTRANSFER" and event.data[:1] == ("LINK",):
        return _LINK
    return FIELDS.get(event.event, ())


def named(event: QueueEvent) -> dict[str, str]:
    """The data of an event by name, as far as they were written."""
    return dict(zip(names_of(event), event.data, strict=False))


def wait_seconds(event: QueueEvent) -> int | None:
    """How long the caller waited in the queue, of every event that says it."""
    data = named(event)
    return _number(data.get("waittime") or data.get("holdtime"))


def talk_seconds(event: QueueEvent) -> int | None:
    """How long member and caller talked, of the events that end it (and OUTCALL)."""
    return _number(named(event).get("calltime"))


def ring_milliseconds(event: QueueEvent) -> int | None:
    """How long a member's phone rang; CONNECT says it in seconds, the others in milliseconds."""
    data = named(event)
    seconds = _number(data.get("ringtime"))
    return _number(data.get("ring_milliseconds")) if seconds is None else 1000 * seconds


def position(event: QueueEvent) -> int | None:
    """The caller's place in the queue when it left."""
    return _number(named(event).get("position"))


def original_position(event: QueueEvent) -> int | None:
    """The caller's place in the queue when it came."""
    return _number(named(event).get("origpos"))


def member_uniqueid(event: QueueEvent) -> str | None:
    """The channel of the member that took the call (CONNECT): it ties the call's leg to the queue."""
    return named(event).get("member_uniqueid") or None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None
