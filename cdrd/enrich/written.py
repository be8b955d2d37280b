"""What was read of the directory so far: its entries, and the place that each was written at."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cdrd.enrich.listed import Listed
from cdrd.owners import Entry
from cdrd.yamlfile import Place, YamlDocument


class _Imported(NamedTuple):
    first: int
    """Index of the first entry that came from the file."""
    path: Path
    lines: array[int]


class Written:
    """Entries in the order of the files: first those of companies.yaml, then those it imports.

    There may be a million of them: an imported one has no more than the number of its line beside it.
    """

    def __init__(self, document: YamlDocument) -> None:
        self.entries: list[Entry] = []
        self._document = document
        self._places: list[Place] = []
        self._imported: list[_Imported] = []

    def add(self, listed: Iterable[Listed]) -> None:
        """Entries of companies.yaml; only before the first import."""
        for entry, place in listed:
            self.entries.append(entry)
            self._places.append(place)

    def lines_of(self, path: Path) -> array[int]:
        """Whatever is added to `entries` from now on comes from this file; its lines belong in here."""
        lines = array("Q")
        self._imported.append(_Imported(len(self.entries), path, lines))
        return lines

    def where(self, index: int) -> str:
        """Where an entry was written: `file:line`, and the path in a YAML file."""
        if index < len(self._places):
            return self._document.where(self._places[index])
        file = self._file(index)
        return f"{file.path}:{file.lines[index - file.first]}"

    def order(self, index: int) -> tuple[int, int]:
        """Before and after which other places it is told of."""
        if index < len(self._places):
            return 0, self._document.line(self._places[index])
        file = self._file(index)
        return 1 + self._imported.index(file), file.lines[index - file.first]

    def _file(self, index: int) -> _Imported:
        found = bisect_right(self._imported, index, key=lambda file: file.first)
        return self._imported[found - 1]
