"""YAML as text with line numbers: every scalar stays the string that the operator wrote.

PyYAML's `safe_load` would turn the DID 01302123456 into an octal number, the country NO into False,
18:30 into 1110 and a rate into a float. The typed models that read the document do the converting.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from cdrd.errors import SettingsError

Place = tuple[str | int, ...]
"""Where a value is in a document: keys and list indexes from the top."""

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A parsed file: mappings, lists and strings, and the line of each value."""

    path: Path
    data: Any
    lines: dict[Place, int]

    def where(self, place: Place) -> str:
        """`file:line: path` of a value, or of the nearest thing around it that has a line."""
        line = self.line(place)
        return f"{self.path}{f':{line}' if line else ''}: {dotted(place)}".removesuffix(": ")

    def line(self, place: Place) -> int:
        """The line of a value, or of the nearest thing around it that has one; 0 where nothing has."""
        for length in range(len(place), -1, -1):
            line = self.lines.get(place[:length])
            if line is not None:
                return line
        return 0


def dotted(place: Place) -> str:
    """`companies.acme.dids[2]` for a place."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def read_yaml(path: Path) -> YamlDocument:
    """Reads a file; raises SettingsError with the line where it is not YAML or says a key twice."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError([f"{path}: cannot be read: {reason}"]) from error
    walk = _Walk(path)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            walk.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError([f"{path}{line}: this is not YAML: {problem}"]) from error
    if walk.problems:
        raise SettingsError(walk.problems)
    return YamlDocument(path, walk.top, walk.lines)


DEEPEST = 50
"""Levels of lists and keys in one another; what is deeper was not written by a person."""


class _Level:
    """A list or a mapping that is being read."""

    __slots__ = ("items", "key", "keys", "place")

    def __init__(self, place: Place, *, mapping: bool) -> None:
        self.place = place
        self.keys: dict[str, Any] | None = {} if mapping else None
        self.items: list[Any] = []
        self.key: str | None = None


class _Walk:
    """Takes a document event by event: no depth overflows a stack, and aliases, with which a small
    document can hold a giant one, are refused before anything is copied.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.top: Any = {}
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []
        self._levels: list[_Level] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """The next event; SettingsError where there is no use in going on."""
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event.value, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(line, mapping=isinstance(event, yaml.MappingStartEvent))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._levels.pop()
        elif isinstance(event, yaml.AliasEvent):
            place = self._place()
            self._scalar("", line)
            self._problem(line, place, "aliases (*name) are not supported")
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._give_up(line, "a second document begins here; one file is one document")

    def _open(self, line: int, *, mapping: bool) -> None:
        if len(self._levels) >= DEEPEST:
            self._give_up(line, f"lists and keys are nested deeper than {DEEPEST} levels")
        level = _Level(self._place(), mapping=mapping)
        self._put(level.items if level.keys is None else level.keys, line)
        self._levels.append(level)

    def _scalar(self, text: str, line: int) -> None:
        level = self._levels[-1] if self._levels else None
        if level is None or level.keys is None or level.key is not None:
            self._put(text, line)
            return
        level.key = text
        if text in level.keys:
            first = self.lines[(*level.place, text)]
            words = f"is given twice, first in line {first}"
            self.problems.append(f"{self.path}:{line}: {dotted((*level.place, text))} {words}")

    def _put(self, value: Any, line: int) -> None:
        """A value, where the innermost list or mapping expects one."""
        place = self._place()
        self.lines.setdefault(place, line)
        if not self._levels:
            self.top = value if value != "" else {}
            return
        level = self._levels[-1]
        if level.keys is None:
            level.items.append(value)
        elif level.key is not None:
            level.keys.setdefault(level.key, value)
            level.key = None
        else:
            self._give_up(line, "a key must be a text")

    def _place(self) -> Place:
        if not self._levels:
            return ()
        level = self._levels[-1]
        step = len(level.items) if level.keys is None else level.key
        return (*level.place, step) if step is not None else level.place

    def _problem(self, line: int, place: Place, words: str) -> None:
        at = f"{self.path}:{line}: {dotted(place)}".removesuffix(": ")
        self.problems.append(f"{at}: {words}")

    def _give_up(self, line: int, words: str) -> NoReturn:
        self._problem(line, (), words)
        raise SettingsError(self.problems)
