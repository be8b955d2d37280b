"""XML from a stranger becomes dictionaries, lists and texts: no DTD, no entities, bounded in all ways."""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from cdrd.decode.values import Problem, shown
from cdrd.records import Reason

DEEPEST = 32
MOST_ELEMENTS = 20_000


class _Refused(Exception):
    """The document has what no call record needs."""


class _Node:
    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[_Node] = []
        self.text: list[str] = []

    def value(self) -> Any:
        """A text, or what is inside by name; what is there more than once is a list."""
        text = "".join(self.text)
        if not self.children and not self.attributes:
            return text
        found: dict[str, Any] = dict(self.attributes)
        for child in self.children:
            inner = child.value()
            if child.name not in found:
                found[child.name] = inner
            elif isinstance(found[child.name], list):
                found[child.name].append(inner)
            else:
                found[child.name] = [found[child.name], inner]
        if text.strip():
            found.setdefault("text", text)
        return found


class _Builder:
    def __init__(self) -> None:
        self.root: _Node | None = None
        self._open: list[_Node] = []
        self._elements = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= DEEPEST or self._elements > MOST_ELEMENTS:
            raise _Refused(f"more than {DEEPEST} levels or {MOST_ELEMENTS} elements")
        node = _Node(name, attributes)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].text.append(data)

    def refuse(self, *_declaration: object) -> None:
        raise _Refused("a document type declaration, which no call record needs")


def xml_document(raw: bytes, root: str) -> dict[str, Any] | Problem:
    """Read a document whose root has this name."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(raw, True)  # noqa: FBT003 - expat takes no names
    except (_Refused, expat.ExpatError, LookupError, ValueError) as error:
        return Problem(Reason.BAD_XML, f"no XML that is read here: {shown(str(error))}")
    if builder.root is None or builder.root.name != root:
        return Problem(Reason.BAD_XML, f"the root is not <{root}>")
    found = builder.root.value()
    return found if isinstance(found, dict) else {}
