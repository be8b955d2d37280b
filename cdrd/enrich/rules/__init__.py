"""The rules: small functions that look at a leg and decide one thing, or leave it to the next.

Each list of rules is in the order of what is harder to forge and less easily mistaken; the first that
decides wins, and its name is kept with the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import LegView
from cdrd.records import Direction

Value_co = TypeVar("Value_co", covariant=True)

SENTENCES: dict[str, str] = {}
"""What each rule says of itself when it has decided, with the evidence in braces."""


Kinds = tuple[PartyKind, ...]
ANY_KIND: Final[Kinds] = tuple(PartyKind)
TELEPHONES: Final[Kinds] = (PartyKind.STATION, PartyKind.UNLISTED)
NOT_STATION: Final[Kinds] = (PartyKind.TRUNK, PartyKind.LOCAL, PartyKind.UNLISTED)


Only = Literal["linked", "told", "noted"]
"""Legs of which more is known, or less, than of a plain one; those of calls of which events tell; legs for
which the dialplan noted something. A rule for "linked" ones is asked where `_is_linked` finds something: what
else it goes by has to be there, too."""
Directions = tuple[Direction | None, ...]
ANY_DIRECTION: Final[Directions] = (None, *Direction)
NOT_OUTBOUND: Final[Directions] = tuple(d for d in ANY_DIRECTION if d is not Direction.OUTBOUND)
_KINDS: Final = len(PartyKind)
_DIRECTIONS: Final = len(ANY_DIRECTION)
_PLAIN: Final = 0
_LINKED: Final = 1
_TOLD: Final = 2
_KNOWN: Final = 3
_SORTS: Final = _KINDS * _KINDS * _KNOWN * 2 * _DIRECTIONS
BY_DIRECTION: Final = {direction: place for place, direction in enumerate(ANY_DIRECTION)}
"""What is added to a leg's sort once it is known where it went."""


def sort_of(view: LegView) -> int:
    """Which rules are for a leg: by the kinds of its ends, by whether anything is known beyond it."""
    known = _TOLD if view.told is not None else _LINKED if _is_linked(view) else _PLAIN
    return _sort(view.calling.sort * _KINDS + view.called.sort, known, view.noted)


def _sort(kinds: int, known: int, noted: int) -> int:
    return ((kinds * _KNOWN + known) * 2 + noted) * _DIRECTIONS


def _is_linked(view: LegView) -> bool:
    """Whether more is known, or less, than what stands in the leg, and which one was before it."""
    return not view.plain and (
        view.dialler is not None
        or view.through is not None
        or view.called_by is not None
        or view.transferrer is not None
        or view.forwarder is not None
        or view.rowless
        or view.attended
        or view.consulting
        or view.overwritten
        or view.parked
        or view.fetched
        or view.picked
    )


class Rule(NamedTuple, Generic[Value_co]):
    """A named function, and the legs that it is for; its name is what `cdrd explain` shows."""

    name: str
    decide: Callable[[LegView], Value_co | None]
    only: Only | None
    calling: Kinds
    called: Kinds
    directions: Directions

    def sorts(self) -> Iterator[int]:
        """Of the legs that it can decide."""
        kinds = [calling * _KINDS + called for calling in self.calling for called in self.called]
        least = {"linked": _LINKED, "told": _TOLD}.get(self.only or "", _PLAIN)
        noted = (True,) if self.only == "noted" else (False, True)
        directions = [BY_DIRECTION[direction] for direction in self.directions]
        for ends, known, note in product(kinds, range(least, _KNOWN), noted):
            sort = _sort(ends, known, note)
            yield from (sort + direction for direction in directions)


_Named = tuple[str, Callable[[LegView], Value_co | None]]


class Rules(Generic[Value_co]):
    """Rules in their order. Which of them are for a leg is known beforehand, by its sort."""

    __slots__ = ("for_sorts",)

    def __init__(self, *rules: Rule[Value_co]) -> None:
        choices: list[list[_Named[Value_co]]] = [[] for _ in range(_SORTS)]
        for rule in rules:
            for sort in rule.sorts():
                choices[sort].append((rule.name, rule.decide))
        self.for_sorts = [tuple(choice) for choice in choices]

    def first(self, view: LegView) -> tuple[Value_co | None, str | None]:
        """The first decision, and the name of its rule."""
        for name, decide in self.for_sorts[view.sort]:
            value = decide(view)
            if value is not None:
                return value, name
        return UNDECIDED


UNDECIDED: Final = (None, None)


class Properties:
    """Several properties, each with its rules: of most legs there is nothing to be said."""

    __slots__ = ("_for_sorts", "_nothing")

    def __init__(self, *properties: Rules[Any]) -> None:
        self._nothing = (None,) * len(properties)
        self._for_sorts: list[list[tuple[int, str, Callable[[LegView], Any]]]] = [
            [(place, *rule) for place, rules in enumerate(choices) for rule in rules]
            for choices in zip(*(rules.for_sorts for rules in properties), strict=True)
        ]
        """The rules of all properties, one after the other, with the place of their property."""

    def decide(self, view: LegView) -> tuple[tuple[Any, ...], tuple[str | None, ...]]:
        """The value of each, and the name of the rule that decided it; no names where there is nothing."""
        values: list[Any] | None = None
        names: list[str | None] = []
        decided = -1
        for place, name, decide in self._for_sorts[view.sort]:
            if place == decided:
                continue
            value = decide(view)
            if value is not None:
                decided = place
                if values is None:
                    values, names = list(self._nothing), list(self._nothing)
                values[place], names[place] = value, name
        return (self._nothing, ()) if values is None else (tuple(values), tuple(names))


def rule(
    sentence: str,
    *,
    only: Only | None = None,
    calling: Kinds = ANY_KIND,
    called: Kinds = ANY_KIND,
    directions: Directions = ANY_DIRECTION,
) -> Callable[[Callable[[LegView], Value_co | None]], Rule[Value_co]]:
    """Makes a rule of a function: `calling_endpoint` becomes `calling-endpoint`.

    What names directions is only for what is decided after the direction.
    """

    def named(decide: Callable[[LegView], Value_co | None]) -> Rule[Value_co]:
        name = decide.__name__.replace("_", "-")
        SENTENCES[name] = sentence
        return Rule(name, decide, only, calling, called, directions)

    return named
