"""How the files of a carrier are read: NAME.yaml becomes a mapping, or the list of everything wrong with it.

The file is documented by its sample, config/carriers/example.yaml.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from cdrd.collect.compressed import OpenContent
from cdrd.collect.drops import Opened
from cdrd.decode.carrier_chunks import CarrierDecoder, header_of
from cdrd.decode.carrier_mapping import CarrierMapping, DurationForm
from cdrd.errors import SettingsError, SourceUnavailable
from cdrd.settings_file import Section, Size, in_words
from cdrd.yamlfile import YamlDocument, read_yaml

_USUAL = CarrierMapping({})
"""What holds where a file says nothing."""


def _column(value: object) -> object:
    """Its number, or its name in the header."""
    if value == "":
        raise ValueError("write the column's name in the header, or its number")
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _or_none(value: object) -> object:
    return None if value in ("", "none") else value


class _MappingFile(Section):
    """The keys of a carrier's file; what they mean says CarrierMapping, and so what is wrong with them."""

    columns: dict[str, Annotated[int | str, BeforeValidator(_column)]] = Field(default_factory=dict)
    delimiter: str = _USUAL.delimiter
    quote: Annotated[str | None, BeforeValidator(_or_none)] = _USUAL.quote
    header_lines: int = _USUAL.header_lines
    footer_lines: int = _USUAL.footer_lines
    encoding: str = _USUAL.encoding
    date_format: str = _USUAL.date_format
    zone: str = _USUAL.zone
    decimal_mark: Literal[".", ","] = _USUAL.decimal_mark
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = _USUAL.currency
    cost_unit: Decimal = _USUAL.cost_unit
    duration_form: DurationForm = _USUAL.duration_form
    strip_prefixes: tuple[str, ...] = _USUAL.strip_prefixes
    max_record_bytes: Annotated[Size, Field(ge=1024, le=16 << 20)] = _USUAL.max_record_bytes

    def mapping(self) -> CarrierMapping:
        """What it says."""
        return CarrierMapping(**{name: getattr(self, name) for name in type(self).model_fields})


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier, and how its files are read."""

    name: str
    mapping: CarrierMapping

    @property
    def most_bytes(self) -> int:
        """More than what must be there at once: a record whose quote is open, and the footer behind it."""
        return (self.mapping.footer_lines + 3) * self.mapping.max_record_bytes + 65536

    def header(self, content: OpenContent) -> bytes:
        """What a file begins with."""
        return header_of(content.read(0, self.most_bytes), self.mapping)

    def decoder(self, header: bytes) -> CarrierDecoder:
        """For a file that begins so; SettingsError where that lacks a column."""
        return CarrierDecoder(self.name, self.mapping, header)

    def opened(self, content: OpenContent) -> Opened:
        """How a file is decoded; SourceUnavailable where its header lacks a column."""
        header = self.header(content)
        try:
            return Opened(self.decoder(header).chunk, header)
        except SettingsError as error:
            raise SourceUnavailable(str(error)) from error


def load_mapping(path: Path) -> CarrierMapping:
    """Reads a carrier's file; SettingsError has every problem in it, with its line."""
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise SettingsError([f"{path}:1: this is a list or a text; here belong keys and values"])
    try:
        mapping = _MappingFile.model_validate(document.data).mapping()
    except ValidationError as error:
        raise SettingsError(_all_problems(document, error)) from error
    problems = [_placed(document, problem) for problem in mapping.problems()]
    if problems:
        raise SettingsError(problems)
    return mapping


def load_carrier(carrier: str, folder: Path | None) -> Carrier:
    """How the files of a carrier are read; SettingsError where nothing says it."""
    return Carrier(carrier, load_mapping(find_carrier(carrier, folder)))


def find_carrier(carrier: str, folder: Path | None) -> Path:
    """The file that says how those of a carrier are read; SettingsError where there is none."""
    if folder is None:
        raise SettingsError(
            [
                f"collect.carriers: name the folder with {carrier}.yaml, which says how its files are read"
            ]
        )
    path = folder / f"{carrier}.yaml"
    if not os.path.isfile(path):  # noqa: PTH113 - is_file() raises where a folder may not be entered
        there = ", ".join(sorted(known.stem for known in folder.glob("*.yaml"))) or "none"
        raise SettingsError(
            [f"{path}: there is no such file for the carrier {carrier}; there are: {there}"]
        )
    return path


def check_carriers(folder: Path | None, wanted: Collection[str]) -> None:
    """Raises SettingsError with every problem of the files in a folder, and what is wanted but not there."""
    problems: list[str] = []
    files = sorted(folder.glob("*.yaml")) if folder is not None else []
    checks: list[Callable[[], object]] = [partial(load_mapping, path) for path in files]
    checks += [partial(find_carrier, name, folder) for name in sorted(wanted)]
    for check in checks:
        try:
            check()
        except SettingsError as error:
            problems += error.problems
    if folder is not None and not os.path.isdir(folder):  # noqa: PTH112 - as above
        problems = [f"collect.carriers: {folder} is no folder"]
    if problems:
        raise SettingsError(problems)


def _all_problems(document: YamlDocument, error: ValidationError) -> list[str]:
    """The mistakes in its form, and those of what is left without them."""
    wrong = [problem["loc"] for problem in error.errors()]
    problems = [in_words(document, problem) for problem in error.errors()]
    keys = {place[0] for place in wrong if place[0] != "columns" or len(place) == 1}
    columns = {place[1] for place in wrong if place[0] == "columns" and len(place) > 1}
    rest: dict[str, Any] = {k: value for k, value in document.data.items() if k not in keys}
    if columns:
        named = rest["columns"].items()
        rest["columns"] = {name: column for name, column in named if name not in columns}
    for problem in _MappingFile.model_validate(rest).mapping().problems():
        key, _, words = problem.partition(": ")
        if key not in keys and not (columns and words.split()[0].rstrip(":") in columns):
            problems.append(_placed(document, problem))
    return problems


def _placed(document: YamlDocument, problem: str) -> str:
    """A mapping's problem with the line of what it is about."""
    key, _, words = problem.partition(": ")
    column = words.split()[0].rstrip(":")
    if key == "columns" and (key, column) in document.lines:
        return f"{document.where((key, column))}: {words.removeprefix(column).lstrip(': ')}"
    return f"{document.where((key,))}: {words}"
