"""Which legs and events are one call, and which others must be looked for before that is known.

Asterisk gives what belongs together one linkedid, with exceptions. An attended transfer joins two
linkedids, and CDRs keep both; plain Master.csv has no linkedid at all, so that the two ends of a Local
channel have nothing in common but its name. What joins, from certain to merely sure:

- the same linkedid or uniqueid; a linkedid is the uniqueid of the oldest channel, so the two mix;
- what channel events say: both linkedids of a channel that changed its own, and the channels that a
  transfer, a pick-up or the end of parking names;
- the same channel, by its name, where a leg's own columns say that another row knows more of it. Names
  begin again when Asterisk is restarted, so the two must touch in time, and the name must end in
  Asterisk's serial number: others are used again at once (`DAHDI/1-1`, `IAX2/carrier-77`).

A conference joins nobody: its rows pair callers who each called by themselves, perhaps for days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from cdrd.beside import CelEvent
from cdrd.enrich.channels import (
    channel_base,
    is_replaced,
    is_serial,
    other_half,
    parse_dial,
    unmasked,
    whole,
)
from cdrd.enrich.heard import said
from cdrd.enrich.legview import CONFERENCES, DIALLING_APPS
from cdrd.records import Leg

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_TOUCHING: Final = 1.0
"""Seconds between two mentions of one channel: times of CDRs are cut to whole seconds."""

_LONGEST_CALL: Final = 12 * 3600
"""Seconds. A channel that seems older than this has a uniqueid that means something else."""

_NAMED: Final = ("transferee_channel", "transfer_target_channel", "channel2", "pickup_channel")
"""Keys of an event's JSON, followed by `_name`, `_uniqueid` or nothing; old versions write names only."""


class CallGroup:
    """What is one call. Events may have no legs: NoCDR(), a number that does not exist."""

    __slots__ = ("events", "legs")

    def __init__(self) -> None:
        self.legs: list[Leg] = []
        self.events: list[CelEvent] = []


class RelatedKeys(NamedTuple):
    """What other legs and events of a call may be found by."""

    ids: dict[str, None]
    """uniqueids and linkedids, to be looked for in both columns; in the order in which they were said."""
    channels: set[str]
    """Names of channels, to be looked for as channel and as dstchannel."""
    asking: list[Leg]
    """The legs that name these channels; what is looked for was there at the same time."""


def calls_of(
    legs: Sequence[Leg], events: Sequence[CelEvent] = (), *, channels: set[str] | None = None
) -> list[CallGroup]:
    """The calls that these make, in the order of their first leg; all that is known of one is in one.

    `channels` are those of `related_keys`, where that is known already.
    """
    calls = _Calls(legs, events)
    calls.join_by_ids()
    calls.join_by_names(related_keys(legs, events).channels if channels is None else channels)
    return calls.groups()


def related_keys(legs: Iterable[Leg], events: Iterable[CelEvent] = ()) -> RelatedKeys:
    """What to look for to know the whole call: one hop, since what is found may name more.

    Most legs name their own ids only, so that most calls cost no look-up by channel.
    """
    ids: dict[str, None] = {}
    channels: set[str] = set()
    asking: list[Leg] = []
    for leg in legs:
        if leg.linkedid:
            ids[leg.linkedid] = None
        if leg.uniqueid and leg.uniqueid != leg.linkedid:
            ids[leg.uniqueid] = None
        wanted = _channels_wanted(leg)
        if wanted:
            channels.update(wanted)
            asking.append(leg)
    for event in events:
        ids.update((name, None) for name in (event.uniqueid, *_ids_said(event)) if name)
        channels.update(_names_said(event))
    return RelatedKeys(ids, channels, asking)


_Mention = tuple[float, float, int]
"""From when until when a channel was there, and the node, a leg or a channel's events, that says so."""

_Mentions = dict[tuple[str, str], list[_Mention]]
"""By PBX and name."""


class _Calls:
    """Legs and channels of events, joined step by step; each set is known by one of its nodes."""

    def __init__(self, legs: Sequence[Leg], events: Sequence[CelEvent]) -> None:
        self._legs = legs
        self._events = events
        self._to = list(range(len(legs)))
        self._ids: dict[tuple[str, str], int] = {}

    def _root(self, node: int) -> int:
        to = self._to
        while to[node] != node:
            to[node] = node = to[to[node]]
        return node

    def _join(self, one: int, other: int) -> None:
        """The earlier node is the root, so that groups come in the order of their first leg."""
        one, other = self._root(one), self._root(other)
        self._to[max(one, other)] = min(one, other)

    def _named(self, node: int, pbx: str, name: str) -> None:
        known = self._ids.setdefault((pbx, name), node)
        if known != node:
            self._join(known, node)

    def _channel(self, event: CelEvent) -> int:
        """The node of an event's channel."""
        key = event.pbx, event.uniqueid
        if key not in self._ids:
            self._ids[key] = len(self._to)
            self._to.append(len(self._to))
        return self._ids[key]

    def join_by_ids(self) -> None:
        for node, leg in enumerate(self._legs):
            if leg.linkedid:
                self._named(node, leg.pbx, leg.linkedid)
            if leg.uniqueid and leg.uniqueid != leg.linkedid:
                self._named(node, leg.pbx, leg.uniqueid)
        for event in self._events:
            node = self._channel(event)
            for name in _ids_said(event):
                self._named(node, event.pbx, name)

    def join_by_names(self, wanted: set[str]) -> None:
        """Only names that somebody asks for; of most calls nobody does."""
        if not wanted:
            return
        mentions: _Mentions = {}
        self._mentioned_by_legs(wanted, mentions)
        self._mentioned_by_events(wanted, mentions)
        for of_one_name in mentions.values():
            of_one_name.sort()
            self._join_touching(of_one_name)

    def _mentioned_by_legs(self, wanted: set[str], mentions: _Mentions) -> None:
        for node, leg in enumerate(self._legs):
            name, reached = unmasked(leg.channel), leg.dstchannel
            calls = name in wanted
            is_called = reached in wanted and leg.lastapp not in CONFERENCES
            if not (calls or is_called):
                continue
            begin, end = _moment(leg.calldate), _ended(leg)
            if calls:
                mention = (begin - _age(leg.uniqueid or "", begin), end, node)
                mentions.setdefault((leg.pbx, whole(name)), []).append(mention)
            if is_called:
                mentions.setdefault((leg.pbx, whole(reached)), []).append((begin, end, node))

    def _mentioned_by_events(self, wanted: set[str], mentions: _Mentions) -> None:
        lives: dict[tuple[str, str, int], tuple[float, float]] = {}
        for event in self._events:
            at, node = _moment(event.eventtime), self._channel(event)
            for name in (event.channame, *_names_said(event)):
                if name in wanted:
                    key = event.pbx, name, node
                    begin, end = lives.get(key, (at, at))
                    lives[key] = min(begin, at), max(end, at)
        for (pbx, name, node), (begin, end) in lives.items():
            mentions.setdefault((pbx, whole(name)), []).append((begin, end, node))

    def _join_touching(self, mentions: list[_Mention]) -> None:
        _, until, last = mentions[0]
        for begin, end, node in mentions:
            if begin <= until + _TOUCHING:
                self._join(last, node)
            last, until = node, max(until, end)

    def groups(self) -> list[CallGroup]:
        groups: list[CallGroup | None] = [None] * len(self._to)
        for node, leg in enumerate(self._legs):
            self._group(groups, node).legs.append(leg)
        for event in self._events:
            self._group(groups, self._channel(event)).events.append(event)
        return [group for group in groups if group is not None]

    def _group(self, groups: list[CallGroup | None], node: int) -> CallGroup:
        """The one of the node's root, which is the earliest of its call."""
        root = self._root(node)
        group = groups[root]
        if group is None:
            group = groups[root] = CallGroup()
        return group


def _ids_said(event: CelEvent) -> Iterator[str]:
    """Every id of which the event says that it is the same call."""
    if event.linkedid:
        yield event.linkedid
    if event.extra:
        yield from (uniqueid for key in _NAMED if (uniqueid := said(event, f"{key}_uniqueid")))


def _names_said(event: CelEvent) -> Iterator[str]:
    """Channels that the event names without their uniqueid."""
    if not event.extra:
        return
    names = [said(event, "retriever")]
    for key in _NAMED:
        if not said(event, f"{key}_uniqueid"):
            names += [said(event, f"{key}_name"), said(event, key)]
    yield from (name for name in names if is_serial(name))


def _channels_wanted(leg: Leg) -> Sequence[str]:
    """The channels of which another row may tell more than this leg does."""
    wanted: list[str] = []
    channel, reached = leg.channel, leg.dstchannel
    if _took_another_s_place(leg):
        wanted.append(reached)
        if leg.lastapp == "AppDial":  # it was called before it called, perhaps by another linkedid
            wanted.append(channel)
    if not leg.linkedid:
        is_local = channel.startswith("Local/")
        if is_local or leg.lastapp in ("AppDial", "ParkedCall") or _may_have_called_before(leg):
            wanted.append(channel)
        if reached.startswith("Local/"):
            wanted.append(reached)
    if not wanted:
        return ()
    return [half for name in wanted if is_serial(name) for half in _halves(unmasked(name))]


def _halves(name: str) -> tuple[str, ...]:
    """Both ends of a Local channel; any other channel is itself."""
    other = other_half(name)
    return (name,) if other is None else (name, other)


def _took_another_s_place(leg: Leg) -> bool:
    """Whether the channel reached is not the one that was called: somebody consulted it before, fetched
    the call from parking, or picked it up. Queue() does not say whom it called.
    """
    if not leg.dstchannel:
        return False
    if leg.lastapp in DIALLING_APPS:
        return is_replaced(parse_dial(leg.lastdata), channel_base(leg.dstchannel))
    return leg.lastapp == "AppDial" or (leg.lastapp == "Queue" and leg.disposition == "ANSWERED")


def _may_have_called_before(leg: Leg) -> bool:
    """Whether the channel may be older than its leg: it was called itself, or has an earlier leg."""
    return not leg.uniqueid or _age(leg.uniqueid, _moment(leg.calldate)) > 1


def _moment(at: datetime) -> float:
    """Seconds since 1970, as timestamp() has it, which takes twice as long."""
    since = at - _EPOCH
    return since.days * 86400.0 + since.seconds + since.microseconds / 1e6


def _ended(leg: Leg) -> float:
    return _moment(leg.enddate) if leg.enddate else _moment(leg.calldate) + leg.duration


def _age(uniqueid: str, at: float) -> float:
    """For how many seconds a channel had been there at a moment: its uniqueid begins with when it was made.

    0 where the uniqueid means something else.
    """
    dot = uniqueid.rfind(".")
    begin = uniqueid.rfind("-", 0, dot) + 1  # a system's name may stand before it
    if dot - begin not in (9, 10, 11) or _number(uniqueid, dot + 1, len(uniqueid)) < 0:
        return 0  # no second since 1970, or no number of a channel
    born = _number(uniqueid, begin, dot)
    age = at - born
    return age if born >= 0 and 0 <= age <= _LONGEST_CALL else 0


def _number(text: str, begin: int, end: int) -> int:
    """The number that a part of a text is; -1 where it is none."""
    if begin == end:
        return -1
    number = 0
    for at in range(begin, end):
        code = ord(text[at])
        if code < ord("0") or code > ord("9"):
            return -1
        number = number * 10 + code - ord("0")
    return number
