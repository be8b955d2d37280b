"""JSON as a request brings it: what a lenient parser would silently choose between is refused."""

from __future__ import annotations

import json
from typing import Any

from cdrd.serve.refusal import bad_input


def strict_json(raw: bytes) -> dict[str, Any]:
    """The object that a body holds.

    The content type does not matter, because `curl -d` calls everything a form. A key given twice, NaN
    and Infinity are refused: parsers differ in what they make of them.
    """
    if not raw.strip():
        raise bad_input("the body is empty; a JSON object is expected")
    try:
        data = json.loads(
            raw.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_number
        )
    except UnicodeDecodeError as error:
        raise bad_input(f"the body is not UTF-8: {error.reason} at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise bad_input(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise bad_input("the body is nested too deeply") from error
    except ValueError as error:  # more digits than Python turns into a number
        raise bad_input("the body holds a number that is far too long") from error
    if not isinstance(data, dict):
        raise bad_input(f"the body is {_kind(data)}; a JSON object is expected")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise bad_input(f"{shortened(name)} is given twice")
        found[name] = value
    return found


def _no_number(text: str) -> None:
    raise bad_input(f"{text} is no JSON number")


def _kind(value: object) -> str:
    match value:
        case bool() | None:
            return json.dumps(value)
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "a number"


def shortened(value: object) -> str:
    """A value of the caller's as it is shown back, in JSON's own words and not at length."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = "that value"
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - a line's worth
