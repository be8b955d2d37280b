"""YAML as text with line numbers: every scalar stays the string that the operator wrote.

PyYAML's `safe_load` would turn the DID 01302123456 into an octal number, the country NO into False,
18:30 into 1110 and a rate into a float. The typed models that read the document do the converting.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        for length in range(len(place), -1, -1):
            line = self.lines.get(place[:length])
            if line is not None:
                return f"{self.path}:{line}: {dotted(place)}".removesuffix(": ")
        return f"{self.path}: {dotted(place)}"


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
        raise SettingsError([f"{path}: cannot be read: {error}"]) from error
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise SettingsError([f"{path}{line}: this is not YAML: {problem}"]) from error
    walk = _Walk(path)
    data = walk.value(node, ()) if node is not None else {}
    if walk.problems:
        raise SettingsError(walk.problems)
    return YamlDocument(path, data, walk.lines)


class _Walk:
    """Turns nodes into values, once each: an alias is refused, so no document can grow while read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, place: Place) -> Any:
        line = node.start_mark.line + 1
        self.lines[place] = line
        if not isinstance(node, yaml.ScalarNode):
            if id(node) in self._seen:
                self.problems.append(
                    f"{self.path}:{line}: {dotted(place)}: aliases (*name) are not supported"
                )
                return None
            self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        return node.value

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in values:
                line = key_node.start_mark.line + 1
                first = self.lines[(*place, key)]
                self.problems.append(
                    f"{self.path}:{line}: {dotted((*place, key))} is given twice, first in line {first}"
                )
                continue
            values[key] = self.value(value_node, (*place, key))
        return values
