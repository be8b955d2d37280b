"""The rules: small functions that look at a leg and decide one thing, or leave it to the next.

Each list of rules is in the order of what is harder to forge and less easily mistaken; the first that
decides wins, and its name is kept with the decision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

from cdrd.enrich.legview import LegView

Value_co = TypeVar("Value_co", covariant=True)

SENTENCES: dict[str, str] = {}
"""What each rule says of itself when it has decided, with the evidence in braces."""


class Rule(NamedTuple, Generic[Value_co]):
    """A named function; its name is what `cdrd explain` shows."""

    name: str
    decide: Callable[[LegView], Value_co | None]


def rule(sentence: str) -> Callable[[Callable[[LegView], Value_co | None]], Rule[Value_co]]:
    """Makes a rule of a function: `calling_endpoint` becomes `calling-endpoint`."""

    def named(decide: Callable[[LegView], Value_co | None]) -> Rule[Value_co]:
        name = decide.__name__.replace("_", "-")
        SENTENCES[name] = sentence
        return Rule(name, decide)

    return named


def first_of(rules: Sequence[Rule[Value_co]], view: LegView) -> tuple[Value_co | None, str | None]:
    """The first decision, and the name of its rule."""
    for name, decide in rules:
        value = decide(view)
        if value is not None:
            return value, name
    return None, None
