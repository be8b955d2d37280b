"""The stream of Asterisk's manager interface, cut into messages; see `ami_order` for why that is not simple.

A message ends at an empty line, but a value can hold an empty line too, and lines behind it that look
like other events. So:

- A block that does not begin with `Event:` or `Response:` belongs to the event before it.
- While an event lacks a key of its order, whatever comes belongs to it, even what looks like an event.
  If that does not end soon (`_MOST_INSIDE`) all of it is rejected: it is kept, but believed in nothing.
- An event that can be read in two ways is rejected, with all that belongs to it.
- A whole event is held back until the next message begins, or until `quiet()` says that nothing more is
  on its way: only then is it known that its last value does not go on.

What this can't see: a text that holds a complete event, inside a value long enough (Asterisk cuts those
of a Cdr at 255 bytes, which is too short for one, but not its mappings nor those of other events). Two
things close that hole: a login that is given `read = cdr,call,agent` and not the class `dialplan` (VarSet,
Newexten), and a last mapping in cdr_manager.conf whose key nobody can guess (`sequence => Sequence-k3v9x2`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cdrd.decode.ami_order import Order, Reading, read_in_order
from cdrd.decode.values import Problem
from cdrd.records import Reason, Rejected

_END = b"\r\n\r\n"
_BEGINNINGS = (b"Event: ", b"Response: ")
_MOST_INSIDE = 8192
"""Bytes that an event may have behind its first empty line. cdr_manager's mappings have 1024 in all."""


class AmiMessage(NamedTuple):
    """One message: an event or the answer to an action."""

    name: str
    """`Cdr`, `CEL`, …; of an answer `Response`."""
    fields: tuple[tuple[str, str], ...]
    """Keys and values in order; keys may repeat."""
    raw: bytes
    line: int
    """Number of the message in the stream, from 1."""
    offset: int
    """Where in the stream it begins."""

    def get(self, key: str, default: str = "") -> str:
        """The first value of a key."""
        return next((value for name, value in self.fields if name == key), default)


class _Held(NamedTuple):
    """An event whose end is not certain."""

    name: str
    raw: bytes
    line: int
    offset: int
    reading: Reading

    @property
    def is_open(self) -> bool:
        return self.reading.missing is not None


class AmiStream:
    """One connection, from its first byte on."""

    def __init__(self, orders: Mapping[str, Order], *, max_event_bytes: int = 65536) -> None:
        self._orders = orders
        self._max_event_bytes = max_event_bytes
        self._buffer = bytearray()
        self._searched = 0
        self._offset = 0
        """Where in the stream the buffer begins."""
        self._line = 0
        self._held: _Held | None = None
        self._skips = False
        """Until the next empty line is the rest of what was too long."""
        self._after_known = False
        """The last message was of a known kind, so that lines without a beginning could be its own."""
        self._out: list[AmiMessage | Rejected] = []

    def feed(self, data: bytes) -> list[AmiMessage | Rejected]:
        """Take bytes as they come; out come the messages that are certain now."""
        self._buffer += data
        while self._goes_on():
            pass
        return self._taken()

    def _goes_on(self) -> bool:
        """Take the next block, if it is whole or can't be any more; in whatever pieces it came."""
        end = self._buffer.find(_END, self._searched) + len(_END)
        is_whole = end >= len(_END)
        if is_whole and (self._skips or end <= self._max_event_bytes):
            self._cut(end)
        elif self._skips:
            self._drop(max(0, len(self._buffer) - len(_END) + 1))
            return False
        elif len(self._buffer) > self._max_event_bytes:
            self._give_up()
        else:
            self._searched = max(0, len(self._buffer) - len(_END) + 1)
            return False
        return True

    def quiet(self) -> list[AmiMessage | Rejected]:
        """Nothing more is on its way: Asterisk writes an event in one go, so what is held is whole."""
        is_certain = not self._buffer or self._buffer.startswith(_BEGINNINGS)
        if self._held and not self._held.is_open and is_certain:
            self._release()
        return self._taken()

    def ended(self) -> list[AmiMessage | Rejected]:
        """The connection is gone; what is left of an event is torn."""
        rest = bytes(self._buffer)
        if self._held and self._held.is_open:
            rest, self._held = self._held.raw + rest, None
        self._release()
        if self._is_of_interest(rest) and not self._skips:
            problem = Problem(Reason.TORN, "the connection ended inside this event")
            self._reject(rest, self._offset + len(self._buffer) - len(rest), problem)
        self._drop(len(self._buffer))
        return self._taken()

    def _is_of_interest(self, rest: bytes) -> bool:
        first, is_whole, _ = rest.partition(b"\r\n")
        name = _event_name(first)
        return first.startswith(b"Event:") and (not is_whole or name in self._orders)

    def _taken(self) -> list[AmiMessage | Rejected]:
        out, self._out = self._out, []
        return out

    def _cut(self, end: int) -> None:
        block, start = bytes(self._buffer[:end]), self._offset
        self._drop(end)
        if self._skips:
            self._skips = False
        else:
            self._block(block, start)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._searched = 0
        self._offset += count

    def _block(self, block: bytes, start: int) -> None:
        head = _without_greeting(block.lstrip(b"\r\n"))
        begins = head.startswith(_BEGINNINGS)
        held = self._held
        if held and (held.is_open or (head and not begins)):
            self._go_on(held, held.raw + block)
        elif begins:
            self._release()
            self._begin(head, start + len(block) - len(head))
        elif head and self._after_known:
            problem = Problem(Reason.AMBIGUOUS, "lines that belong to no event")
            self._reject(block, start, problem)

    def _begin(self, block: bytes, offset: int) -> None:
        self._line += 1
        is_response = block.startswith(b"Response: ")
        name = "Response" if is_response else _event_name(block.split(b"\r\n", 1)[0])
        order = self._orders.get(name)
        self._after_known = order is not None
        if order is None:
            fields = tuple(_plain_field(line) for line in _lines(block))
            self._out.append(AmiMessage(name, fields, block, self._line, offset))
        else:
            reading = read_in_order(_lines(block), order)
            self._held = _Held(name, block, self._line, offset, reading)

    def _go_on(self, held: _Held, raw: bytes) -> None:
        reading = read_in_order(_lines(raw), self._orders[held.name])
        self._held = held._replace(raw=raw, reading=reading)
        if len(raw) - raw.index(_END) > _MOST_INSIDE:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        problem = _doubt(held)
        if problem:
            outcome = Rejected(held.raw, held.line, held.offset, Reason.AMBIGUOUS, problem)
            self._out.append(outcome)
        else:
            fields = held.reading.fields
            self._out.append(AmiMessage(held.name, fields, held.raw, held.line, held.offset))

    def _give_up(self) -> None:
        """A message without an end: keep its beginning, and look for the next empty line."""
        if self._held:
            self._release()
        most = self._max_event_bytes
        detail = f"no empty line within {most} bytes"
        self._reject(bytes(self._buffer[:most]), self._offset, Problem(Reason.TOO_LONG, detail))
        self._skips = True
        self._drop(most - len(_END) + 1)

    def _reject(self, raw: bytes, offset: int, problem: Problem) -> None:
        self._line += 1
        self._out.append(Rejected(raw, self._line, offset, *problem))


def _event_name(line: bytes) -> str:
    return line.partition(b":")[2].strip().decode(errors="replace")


def _doubt(held: _Held) -> str | None:
    if held.is_open:
        return (
            f"this {held.name} event never came to its key {held.reading.missing}; either the keys in "
            "the settings are not those of the PBX, or a value holds something like an event"
        )
    if held.reading.is_ambiguous:
        return f"this {held.name} event has keys twice: a value holds lines that look like keys"
    return None


def _without_greeting(block: bytes) -> bytes:
    """The first message follows the greeting without an empty line between."""
    if block.startswith(b"Asterisk Call Manager/"):
        return block.partition(b"\r\n")[2].lstrip(b"\r\n")
    return block


def _lines(block: bytes) -> list[str]:
    return block.removesuffix(_END).decode(errors="replace").split("\r\n")


def _plain_field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key, value.removeprefix(" ")
