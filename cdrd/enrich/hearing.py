"""The channel events of a call are read, one by one, into what they say together.

Only the order of one channel's events is certain. So whatever happened between channels is taken from the
single event that names them, and the rest is kept channel by channel. Sites choose which events are written
(`events` and `apps` in cel.conf): what is missing proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from cdrd.beside import CelEvent
from cdrd.enrich.channels import unmasked
from cdrd.enrich.heard import (
    Channel,
    Connected,
    Forward,
    Heard,
    Parking,
    Pickup,
    Place,
    Started,
    Transfer,
    said,
)

_CALLED = frozenset({"AppDial", "AppQueue", "AppDial2"})
"""What stands as the application of a channel that was called: by Dial(), by Queue(), by a program."""
_BY_PROGRAM = "AppDial2"
_TURN = {"CHAN_START": 0, "HANGUP": 2, "CHAN_END": 3, "LINKEDID_END": 4}
"""The turn of an event among those of the same instant: sites may write whole seconds."""
_ANY_TURN = 1
_HOLDING = "holding_bridge"
_MACHINES = ("CBAnn/", "CBRec/")
"""Channels by which a conference announces and records."""
_JUST_NOW = timedelta(seconds=1)
"""A channel that left a bridge as long ago may have been handed on: its own event can come first."""


def hear(events: Iterable[CelEvent]) -> Heard:
    """What the events say, whatever order they come in."""
    hearing = _Hearing()
    for event in sorted(events, key=_in_time):
        hearing.take(event)
    return hearing.heard()


def _in_time(event: CelEvent) -> tuple[datetime, int, str]:
    return event.eventtime, _TURN.get(event.eventtype, _ANY_TURN), event.uniqueid


class _Hearing:
    """What was heard so far, and who is in which bridge."""

    def __init__(self) -> None:
        self._heard = Heard()
        self._open: dict[tuple[str, str], Connected] = {}

    def heard(self) -> Heard:
        self._heard.connected += self._open.values()
        return self._heard

    def take(self, event: CelEvent) -> None:
        channel = self._channel(event)
        tell = _TELL.get(event.eventtype)
        if tell is not None:
            tell(self, channel, event)

    def _channel(self, event: CelEvent) -> Channel:
        heard, name = self._heard, unmasked(event.channame)
        key = event.uniqueid or name
        channel = heard.channels.get(key)
        if channel is None:
            channel = heard.channels[key] = Channel(event.uniqueid, name)
        heard.by_name.setdefault(name, channel)
        channel.linkedids.add(event.linkedid)
        channel.was_called |= event.appname in _CALLED
        channel.originated |= event.appname == _BY_PROGRAM
        place = Place(event.eventtime, event.exten, event.context)
        if not channel.places or channel.places[-1][1:] != place[1:]:
            channel.places.append(place)
        if event.accountcode and event.accountcode not in channel.accounts:
            channel.accounts.append(event.accountcode)
        if event.cid_dnid and event.cid_dnid not in channel.numbers:
            channel.numbers.append(event.cid_dnid)
        return channel

    def begun(self, channel: Channel, event: CelEvent) -> None:
        if channel.begun is None:
            channel.begun = event.eventtime
            channel.keyed = event.exten
            channel.number = event.cid_num

    def answered(self, channel: Channel, event: CelEvent) -> None:
        if channel.answered is None:
            channel.answered = event.eventtime

    def hung_up(self, channel: Channel, event: CelEvent) -> None:
        cause = event.extra.get("hangupcause") if event.extra else None
        text = str(cause) if isinstance(cause, int | str) else ""
        channel.cause = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else None  # noqa: PLR2004  causes go to 127
        channel.hung_up_by = unmasked(said(event, "hangupsource"))
        channel.ended = event.eventtime

    def ended(self, channel: Channel, event: CelEvent) -> None:
        channel.ended = event.eventtime
        channel.gone = True

    def linkedid_ended(self, _: Channel, event: CelEvent) -> None:
        self._heard.ended.add(event.linkedid)

    def started(self, channel: Channel, event: CelEvent) -> None:
        app = event.appname.lower()
        channel.started.append(Started(event.eventtime, app, event.appdata, event.context))

    def keyed_digit(self, channel: Channel, event: CelEvent) -> None:
        channel.digits.append((event.eventtime, said(event, "digit")))

    def entered(self, channel: Channel, event: CelEvent) -> None:
        bridge = said(event, "bridge_id")
        holding = said(event, "bridge_technology") == _HOLDING
        joined = _has_parties(event.peer)
        inside = Connected(bridge, holding, channel.name, event.eventtime, None, joined)
        self._open[channel.uniqueid, bridge] = inside

    def left(self, channel: Channel, event: CelEvent) -> None:
        channel.left = event.eventtime
        inside = self._open.pop((channel.uniqueid, said(event, "bridge_id")), None)
        if inside is not None:
            self._heard.connected.append(inside._replace(until=event.eventtime))

    def blind_transfer(self, channel: Channel, event: CelEvent) -> None:
        named = unmasked(said(event, "transferee_channel_name"))
        others = (named,) if named else self._others(said(event, "bridge_id"), channel, event)
        where = said(event, "extension")
        transfer = Transfer(event.eventtime, channel.name, False, others, where)  # noqa: FBT003  the fields in their order
        self._heard.transfers.append(transfer)

    def _others(self, bridge: str, by: Channel, event: CelEvent) -> tuple[str, ...]:
        """Whoever else was in the bridge: Asterisk 12 and 13 do not name the transferee."""
        since = event.eventtime - _JUST_NOW
        members = [*self._heard.connected, *self._open.values()]
        return tuple(
            dict.fromkeys(
                member.channel
                for member in members
                if bridge and member.bridge == bridge and member.channel != by.name
                if member.until is None or member.until >= since
            )
        )

    def attended_transfer(self, channel: Channel, event: CelEvent) -> None:
        named = unmasked(said(event, "transferee_channel_name"))
        others = (named,) if named else self._others(said(event, "bridge1_id"), channel, event)
        second = unmasked(said(event, "channel2_name"))
        target = unmasked(said(event, "transfer_target_channel_name"))
        self._heard.transfers.append(
            Transfer(
                event.eventtime,
                channel.name,
                attended=True,
                transferees=others,
                second=second,
                target=target or self._consulted(second, channel, event),
            )
        )

    def _consulted(self, second: str, by: Channel, event: CelEvent) -> str:
        """Who was in the consultation's bridge: who has left it for the other one already is not named."""
        others = [o for o in self._others(said(event, "bridge2_id"), by, event) if o != second]
        return others[0] if len(others) == 1 else ""

    def picked_up(self, channel: Channel, event: CelEvent) -> None:
        by = said(event, "pickup_channel") or said(event, "pickup_channel_name")
        self._heard.pickups.append(Pickup(event.eventtime, channel.name, unmasked(by)))

    def parked(self, channel: Channel, event: CelEvent) -> None:
        parker = said(event, "parker_dial_string")
        self._heard.parkings.append(Parking(event.eventtime, channel.name, parker))

    def unparked(self, channel: Channel, event: CelEvent) -> None:
        for index, parking in enumerate(self._heard.parkings):
            if parking.channel == channel.name and parking.until is None:
                self._heard.parkings[index] = parking._replace(
                    until=event.eventtime, fetched_by=unmasked(said(event, "retriever"))
                )

    def forwarded(self, channel: Channel, event: CelEvent) -> None:
        forward = Forward(event.eventtime, channel.name, said(event, "forward"), event.cid_rdnis)
        self._heard.forwards.append(forward)


def _has_parties(peers: str) -> bool:
    """Whether a bridge had somebody in it who can talk, by the names of its channels."""
    return any(name and not name.startswith(_MACHINES) for name in peers.split(","))


_TELL: dict[str, Callable[[_Hearing, Channel, CelEvent], None]] = {
    "CHAN_START": _Hearing.begun,
    "ANSWER": _Hearing.answered,
    "HANGUP": _Hearing.hung_up,
    "CHAN_END": _Hearing.ended,
    "LINKEDID_END": _Hearing.linkedid_ended,
    "APP_START": _Hearing.started,
    "DTMF": _Hearing.keyed_digit,
    "BRIDGE_ENTER": _Hearing.entered,
    "BRIDGE_EXIT": _Hearing.left,
    "BLINDTRANSFER": _Hearing.blind_transfer,
    "ATTENDEDTRANSFER": _Hearing.attended_transfer,
    "PICKUP": _Hearing.picked_up,
    "PARK_START": _Hearing.parked,
    "PARK_END": _Hearing.unparked,
    "FORWARD": _Hearing.forwarded,
}
