"""The rules: small functions that look at a leg and decide one thing, or leave it to the next.

Each list of rules is in the order of what is harder to forge and less easily mistaken; the first that
decides wins, and its name is kept with the decision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from cdrd.enrich.found import PartyKind
from cdrd.enrich.legview import LegView

Value_co = TypeVar("Value_co", covariant=True)

SENTENCES: dict[str, str] = {}
"""What each rule says of itself when it has decided, with the evidence in braces."""


Kinds = tuple[PartyKind, ...]
ANY_KIND: Kinds = tuple(PartyKind)
NOT_STATION: Kinds = (PartyKind.TRUNK, PartyKind.LOCAL, PartyKind.UNLISTED)


class Rule(NamedTuple, Generic[Value_co]):
    """A named function, and the legs that it is for; its name is what `cdrd explain` shows."""

    name: str
    decide: Callable[[LegView], Value_co | None]
    plain: bool
    calling: Kinds
    called: Kinds


class Rules(Generic[Value_co]):
    """Rules in their order. Which of them are for a leg, by the kinds of its ends, is known beforehand."""

    __slots__ = ("_for_legs",)

    def __init__(self, *rules: Rule[Value_co]) -> None:
        self._for_legs = [
            tuple(
                (rule.name, rule.decide)
                for rule in rules
                if calling in rule.calling and called in rule.called and (rule.plain or not plain)
            )
            for calling in PartyKind
            for called in PartyKind
            for plain in (False, True)
        ]

    def first(self, view: LegView) -> tuple[Value_co | None, str | None]:
        """The first decision, and the name of its rule."""
        for name, decide in self._for_legs[view.sort]:
            value = decide(view)
            if value is not None:
                return value, name
        return UNDECIDED


UNDECIDED = (None, None)


def rule(
    sentence: str, *, plain: bool = True, calling: Kinds = ANY_KIND, called: Kinds = ANY_KIND
) -> Callable[[Callable[[LegView], Value_co | None]], Rule[Value_co]]:
    """Makes a rule of a function: `calling_endpoint` becomes `calling-endpoint`.

    With `plain=False` it is only for legs of which more is known, or less, than of a plain one.
    """

    def named(decide: Callable[[LegView], Value_co | None]) -> Rule[Value_co]:
        name = decide.__name__.replace("_", "-")
        SENTENCES[name] = sentence
        return Rule(name, decide, plain, calling, called)

    return named
