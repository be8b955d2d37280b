"""Look-ups whose time does not grow with the directory: patterns by their shape, numbers by their prefix."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

from cdrd.enrich.patterns import Pattern, Span, captured, span_prefixes

Item = TypeVar("Item")


class Found(NamedTuple, Generic[Item]):
    """What a pattern belongs to, and what stood where its wild part is."""

    item: Item
    captured: str


class _Several(Generic[Item]):
    """Items with one key. Nearly all keys have one item, which is then kept without a list around it."""

    __slots__ = ("items",)

    def __init__(self, items: list[Item]) -> None:
        self.items = items


class _Keyed(Generic[Item]):
    """Items by their key, in the order in which they came."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: dict[Hashable, Item | _Several[Item]] = {}

    def add(self, key: Hashable, item: Item) -> None:
        """The key has this item, too."""
        there = self._items.setdefault(key, item)
        if isinstance(there, _Several):
            there.items.append(item)
        elif there is not item:
            self._items[key] = _Several([there, item])

    def of(self, key: Hashable) -> Sequence[Item]:
        """What the key has."""
        there = self._items.get(key)
        if there is None:
            return ()
        return there.items if isinstance(there, _Several) else (there,)


class _Shape(NamedTuple):
    """Patterns of one shape differ in letters only, so that one dictionary holds all of them."""

    letters: int
    prefix: int
    suffix: int
    wild: str


class PatternTable(Generic[Item]):
    """Patterns in scopes. A look-up costs one dictionary access per shape in use, the longest first."""

    def __init__(self) -> None:
        self._exact: dict[Hashable, _Keyed[Item]] = {}
        self._wild: dict[tuple[Hashable, str, str, str], list[tuple[Pattern, Item]]] = {}
        self._shapes: set[_Shape] = set()
        self._ordered: list[_Shape] | None = None

    def add(self, scope: Hashable, pattern: Pattern, item: Item) -> None:
        """Only while the table is built."""
        if not pattern.wild:
            exact = self._exact.get(scope) or self._exact.setdefault(scope, _Keyed())
            exact.add(pattern.prefix, item)
            return
        key = (scope, pattern.prefix, pattern.suffix, pattern.wild)
        self._wild.setdefault(key, []).append((pattern, item))
        lengths = len(pattern.prefix), len(pattern.suffix)
        self._shapes.add(_Shape(sum(lengths), *lengths, pattern.wild))
        self._ordered = None

    def find(self, scopes: Iterable[Hashable], value: str) -> Iterator[Found[Item]]:
        """Everything that fits, the most specific first: exact before patterns, more letters before
        fewer, `{ext}` before `*`, and at equal specificity in the order of the scopes.
        """
        scopes = tuple(scopes)
        for scope in scopes:
            exact = self._exact.get(scope)
            for item in exact.of(value) if exact else ():
                yield Found(item, "")
        for shape in self._by_letters():
            head = value[: shape.prefix]
            tail = value[len(value) - shape.suffix :] if shape.suffix else ""
            for scope in scopes:
                for pattern, item in self._wild.get((scope, head, tail, shape.wild), ()):
                    middle = captured(pattern, value)
                    if middle is not None:
                        yield Found(item, middle)

    def _by_letters(self) -> list[_Shape]:
        if self._ordered is None:
            self._ordered = sorted(self._shapes, reverse=True)  # "{ext}" sorts after "*"
        return self._ordered


class _Blocks(Generic[Item]):
    """Blocks of numbers of one length, by the prefix that they have in common."""

    __slots__ = ("_by_prefix", "_lengths")

    def __init__(self) -> None:
        self._by_prefix: dict[str, list[Item]] = {}
        self._lengths: list[int] = []
        """Those of the prefixes, the longest first."""

    def add(self, prefix: str, item: Item) -> None:
        """Only while the table is built."""
        if len(prefix) not in self._lengths:
            self._lengths.append(len(prefix))
            self._lengths.sort(reverse=True)
        self._by_prefix.setdefault(prefix, []).append(item)

    def find(self, number: str) -> list[Item]:
        """Everything that holds the number, the smallest block first."""
        found: list[Item] = []
        for length in self._lengths:
            items = self._by_prefix.get(number[:length])
            if items is not None:
                found += items
        return found


class NumberTable(Generic[Item]):
    """Numbers and blocks of numbers. A look-up costs one dictionary access per length of prefix in use."""

    __slots__ = ("_blocks", "_single")

    def __init__(self) -> None:
        self._single: _Keyed[Item] = _Keyed()
        self._blocks: dict[int, _Blocks[Item]] = {}

    def add(self, span: Span, item: Item) -> None:
        """Only while the table is built."""
        if span.first == span.last:
            self._single.add(span.first, item)
            return
        length = len(span.first)
        blocks = self._blocks.get(length) or self._blocks.setdefault(length, _Blocks())
        for prefix in span_prefixes(span):
            blocks.add(prefix, item)

    def find(self, number: str) -> Sequence[Item]:
        """Everything that holds the number; a number listed by itself before the blocks it is in."""
        found = self._single.of(number)
        blocks = self._blocks.get(len(number)) if self._blocks else None
        held = blocks.find(number) if blocks is not None else None
        return [*found, *held] if held else found
