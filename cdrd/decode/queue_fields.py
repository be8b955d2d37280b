"""What the data of each queue event mean.

The names are those of Asterisk's `queue_log` documentation. Old versions write fewer values than the
table has names (CONNECT without ringtime, COMPLETECALLER without origpos), so every look-up may find nothing.
"""

from __future__ import annotations

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


def split_data(event: str, rest: str) -> list[str]:
    """What a line of queue_log has behind the event's name."""
    return rest.split("|", _SPLITS.get(event, -1)) if rest else []


def names_of(event: QueueEvent) -> tuple[str, ...]:
    """The names of an event's data; empty for an unknown event."""
    if event.event == "ATTENDEDTRANSFER" and event.data[:1] == ("LINK",):
        return _LINK
    return FIELDS.get(event.event, ())


def named(event: QueueEvent) -> dict[str, str]:
    """The data of an event by name, as far as they were written."""
    return dict(zip(names_of(event), event.data, strict=False))
