"""How a file of settings is read: the forms of its values, and every mistake in it at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError

from cdrd.errors import SettingsError
from cdrd.yamlfile import Place, YamlDocument, read_yaml

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _duration(value: object) -> object:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{value!r} is no duration; write a number and a unit: 250ms, 10s, 5m, 2h, 1d"
        )
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{value!r} is longer than anything lasts") from error


def _size(value: object) -> object:
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no size; write a number and a unit: 65536, 64KiB, 1MiB")
    return int(match[1]) * _BYTES[match[2]]


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"{value!r} is no time zone; write one like Europe/London, or UTC"
        ) from error
    return value


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError(f"{value!r} is no name; write small letters, digits and . _ -, up to 63")
    return value


def is_name(text: str) -> bool:
    """Whether a source, a PBX or a carrier may be called so."""
    return _NAME.fullmatch(text) is not None


def between(least: timedelta, most: timedelta) -> AfterValidator:
    """Refuses a duration that is shorter or longer."""

    def fits(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise ValueError(
                f"from {least.total_seconds():g}s to {most.total_seconds():g}s is allowed"
            )
        return value

    return AfterValidator(fits)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Zone = Annotated[str, AfterValidator(_zone)]
Name = Annotated[str, AfterValidator(_name)]
IdlePoll = Annotated[Duration, between(timedelta(milliseconds=10), timedelta(minutes=1))]
"""How long a quiet file is left alone before it is looked at again."""
ROTATED = ("{path}.*", "{path}-*", "{stem}-[0-9]*{suffix}*")
"""Where rotated files of a path are found; {path}, {stem} and {suffix} are those of each file."""


class Section(BaseModel):
    """A part of a settings file; a key that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_Model = TypeVar("_Model", bound=Section)


def read_settings(path: Path, model: type[_Model]) -> _Model:
    """Reads a file of sections; raises SettingsError with every problem in it."""
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise SettingsError(
            [f"{path}:1: this is a list or a text; settings are `section:` and keys"]
        )
    try:
        # a section whose keys are all commented out is empty, not wrong
        sections = {
            name: section
            for name, section in document.data.items()
            if section != "" or name not in model.model_fields
        }
        return model.model_validate(sections)
    except ValidationError as error:
        raise SettingsError([in_words(document, problem) for problem in error.errors()]) from error


def in_words(document: YamlDocument, problem: Any) -> str:
    """A mistake that a model has found, with the file and the line that it is in."""
    place: Place = tuple(
        step
        for step in problem["loc"]
        if not (isinstance(step, str) and step.startswith(("literal[", "tuple[")))
    )
    if problem["type"] == "extra_forbidden":
        message = "there is no such key"
    elif problem["type"] == "missing":
        message = "this key is needed"
    else:
        message = problem["msg"].removeprefix("Value error, ")
        if isinstance(problem["input"], str):
            message = message.replace("Input should be", f"{problem['input']!r} should be", 1)
    return f"{document.where(place)}: {message}"


def secret(
    name: str, named: Path | None, environment: Mapping[str, str], *, folder: Path, key: str
) -> str | None:
    """What is in the file that `key` names, else in systemd's credential, else in `name` in the folder.

    None where none of them is there.
    """
    usual = [Path(environment.get("CREDENTIALS_DIRECTORY") or folder, name), folder / name]
    for path in [named] if named else usual:
        try:
            if named or path.is_file():
                return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError([f"{key}: {path} cannot be read: {error}"]) from error
    return None
