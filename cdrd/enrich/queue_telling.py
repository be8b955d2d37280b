"""What a queue event tells, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cdrd.beside import QueueEvent
from cdrd.decode.queue_fields import named
from cdrd.enrich.printable import in_brief


def in_order(events: Iterable[QueueEvent]) -> list[QueueEvent]:
    """As they happened: queue_log has whole seconds, in which much may happen."""
    turns = {event: turn for turn, event in enumerate(_TELL)}
    return sorted(events, key=lambda event: (event.eventtime, turns.get(event.event, len(turns))))


def tell_queue(event: QueueEvent) -> str:
    """One event; empty for what says no more than another one."""
    words = _TELL.get(event.event, _anything)(event)
    return f"queue {in_brief(event.queue)}: {words}" if words else ""


def _number(event: QueueEvent, name: str) -> str:
    return in_brief(named(event).get(name, ""))


def _after(event: QueueEvent, name: str) -> str:
    seconds = _number(event, name)
    return f" after {seconds} s" if seconds else ""


def _agent(event: QueueEvent) -> str:
    return in_brief(event.agent)


def _enters(event: QueueEvent) -> str:
    position = _number(event, "origpos")
    return "a caller enters" + (f" at position {position}" if position else "")


def _rings(words: str) -> Callable[[QueueEvent], str]:
    def tell(event: QueueEvent) -> str:
        milliseconds = _number(event, "ring_milliseconds")
        return f"{_agent(event)} {words}" + (f" for {milliseconds} ms" if milliseconds else "")

    return tell


def _answers(event: QueueEvent) -> str:
    return f"{_agent(event)} answers{_after(event, 'holdtime')}"


def _leaves(words: str) -> Callable[[QueueEvent], str]:
    return lambda event: words + _after(event, "waittime")


def _leaves_by_key(event: QueueEvent) -> str:
    return f"the caller leaves with key {_number(event, 'key')}{_after(event, 'waittime')}"


def _caller_ends(event: QueueEvent) -> str:
    return f"the caller ends the talk with {_agent(event)}{_after(event, 'calltime')}"


def _agent_ends(event: QueueEvent) -> str:
    return f"{_agent(event)} ends the talk{_after(event, 'calltime')}"


def _hands_on(event: QueueEvent) -> str:
    exten = _number(event, "exten")
    return f"{_agent(event)} hands the caller on" + (f" to {exten}" if exten else "")


def _anything(event: QueueEvent) -> str:
    by = "" if event.agent in ("", "NONE") else f" of {_agent(event)}"
    return f"{in_brief(event.event)}{by}"


_TELL: Mapping[str, Callable[[QueueEvent], str]] = {
    "ENTERQUEUE": _enters,
    "RINGNOANSWER": _rings("does not answer, rung"),
    "RINGCANCELED": _rings("is rung no more, after ringing"),
    "QueueCallerLeave": lambda _: "",
    "CONNECT": _answers,
    "COMPLETECALLER": _caller_ends,
    "COMPLETEAGENT": _agent_ends,
    "TRANSFER": _hands_on,
    "BLINDTRANSFER": _hands_on,
    "ATTENDEDTRANSFER": _hands_on,
    "ABANDON": _leaves("the caller gives up"),
    "EXITWITHTIMEOUT": _leaves("the caller's time is up"),
    "EXITWITHKEY": _leaves_by_key,
    "EXITEMPTY": _leaves("no member is there any more, the caller leaves"),
    "WITHDRAW": _leaves("the caller is taken out"),
}
"""In the order in which they happen."""
