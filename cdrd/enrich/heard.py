"""What the channel events of a call say: the life of each channel, and who transferred, picked up, parked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from cdrd.beside import CelEvent
from cdrd.enrich.channels import unmasked

_NOBODY = "N/A"
"""What Asterisk writes in place of a channel that there is not: a transfer to an application."""


def said(event: CelEvent, key: str) -> str:
    """A text of the event's own JSON; empty where it says none."""
    value = event.extra.get(key) if event.extra else None
    return value if isinstance(value, str) and value != _NOBODY else ""


class Place(NamedTuple):
    """Where in the dialplan a channel was."""

    at: datetime
    exten: str
    context: str


class Started(NamedTuple):
    """An application that a channel ran. Its data is whole, where lastdata of a CDR is cut."""

    at: datetime
    app: str
    """In lower case: Asterisk writes BackGround, dialplans Background."""
    data: str
    context: str


@dataclass(slots=True)
class Channel:
    """One channel, from its first event to its last."""

    uniqueid: str
    name: str
    linkedids: set[str] = field(default_factory=set)
    keyed: str = ""
    """The extension it began at: what was keyed, or the number that the carrier sent."""
    number: str = ""
    """The caller's number at the beginning, before the dialplan shows another one."""
    begun: datetime | None = None
    answered: datetime | None = None
    left: datetime | None = None
    """When it left a bridge for the last time: of two that talked, whoever hung up leaves first."""
    ended: datetime | None = None
    gone: bool = False
    """Its last event was seen."""
    was_called: bool = False
    originated: bool = False
    """Called by a program, not by another channel."""
    cause: int | None = None
    hung_up_by: str = ""
    """The channel whose party ended it, or `dialplan/builtin`; empty where Asterisk did."""
    places: list[Place] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    digits: list[tuple[datetime, str]] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    """Account codes, in the order in which it had them."""
    numbers: list[str] = field(default_factory=list)
    """DNIDs: the number called, which keeps the first where the dialplan goes on with another."""

    def went_to(self, started: Started) -> Place | None:
        """Where the dialplan went on from an application."""
        return next((place for place in self.places if place.at > started.at), None)

    def keyed_from(self, started: Started) -> str:
        """What was keyed from the start of an application until the dialplan went on elsewhere."""
        after = self.went_to(started)
        until = after.at if after is not None else None
        found = [d for at, d in self.digits if at >= started.at and (until is None or at <= until)]
        return "".join(found)


class Transfer(NamedTuple):
    """A party handed another one on."""

    at: datetime
    by: str
    """The channel of who transferred."""
    attended: bool
    transferees: tuple[str, ...]
    exten: str = ""
    """Of a blind transfer: where to, as it was keyed."""
    second: str = ""
    """Of an attended transfer: the channel of the consultation. By feature code it is the first itself."""
    target: str = ""
    """Of an attended transfer: the channel that was consulted; empty for an application."""


class Pickup(NamedTuple):
    """A call that rang at one channel was taken by another."""

    at: datetime
    rang: str
    by: str


class Parking(NamedTuple):
    """A channel was put into a parking lot, until it was fetched, came back or hung up."""

    at: datetime
    channel: str
    parker: str
    """As Dial() would call it: PJSIP/101."""
    until: datetime | None = None
    fetched_by: str = ""


class Forward(NamedTuple):
    """What a channel called sent it on to somewhere else (302 Moved)."""

    at: datetime
    caller: str
    number: str
    by: str
    """The number of who sent it on."""


class Connected(NamedTuple):
    """A channel was in a bridge from then until then."""

    bridge: str
    holding: bool
    """Nobody to talk to: parking, music."""
    channel: str
    since: datetime
    until: datetime | None
    joined: bool = False
    """Somebody was there already, perhaps of another call: in a conference each has called by itself."""


@dataclass(slots=True)
class Heard:
    """Everything that the events of a call say."""

    channels: dict[str, Channel] = field(default_factory=dict)
    """By uniqueid, in the order in which they began."""
    transfers: list[Transfer] = field(default_factory=list)
    pickups: list[Pickup] = field(default_factory=list)
    parkings: list[Parking] = field(default_factory=list)
    forwards: list[Forward] = field(default_factory=list)
    connected: list[Connected] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    """Linkedids of which the last channel has ended."""
    by_name: dict[str, Channel] = field(default_factory=dict)

    def channel(self, name: str, uniqueid: str | None = None) -> Channel | None:
        """A channel by its uniqueid, else by its name."""
        found = self.channels.get(uniqueid) if uniqueid else None
        return found or self.by_name.get(unmasked(name))


class Told:
    """What the events tell of one leg."""

    __slots__ = (
        "channel",
        "forward",
        "parked_by",
        "parking",
        "pickup",
        "reached",
        "second",
        "transfer",
    )

    def __init__(self, channel: Channel | None, reached: Channel | None) -> None:
        self.channel = channel
        """The life of the channel that calls."""
        self.reached = reached
        """The life of the channel that was reached."""
        self.transfer: Transfer | None = None
        """The last one before this leg."""
        self.second: Channel | None = None
        """Of an attended transfer: the life of the channel by which the transferrer consulted."""
        self.pickup: Pickup | None = None
        self.parking: Parking | None = None
        self.parked_by: Transfer | None = None
        """The blind transfer to the extension that parks."""
        self.forward: Forward | None = None
