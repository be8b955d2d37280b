"""The lists of companies.yaml: each item is one thing that a company or a PBX has, from then until then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from cdrd.enrich.compiled import MOST_SPELLED_OUT
from cdrd.enrich.dialling import cleaned, is_number
from cdrd.enrich.patterns import EXTENSION, parse_pattern, parse_span
from cdrd.enrich.problems import Problems
from cdrd.owners import Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.yamlfile import Place


class Listed(NamedTuple):
    """An entry and where it was written."""

    entry: Entry
    place: Place


@dataclass(frozen=True, slots=True)
class Scope:
    """What an item inherits from what it is written in."""

    company: CompanyId | None
    pbxs: tuple[str | None, ...]
    zone: ZoneInfo
    known_pbxs: tuple[str, ...]
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListKind:
    """A list that can be written: its entries, the key of an item's value, and what else an item may say."""

    kind: EntryKind
    value: str
    check: Callable[[str], str]
    """Returns the text as it is kept; ValueError says what is wrong with it."""
    texts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


def _pattern(text: str) -> str:
    parse_pattern(text)
    return text


def _account_code(text: str) -> str:
    if text.startswith(">") and EXTENSION not in text:
        return ">" + _short_span(text[1:])
    return _pattern(text)


def _short_span(text: str) -> str:
    span = parse_span(text)
    if span.first != span.last and int(span.last) - int(span.first) >= MOST_SPELLED_OUT:
        raise ValueError(f"it has more than {MOST_SPELLED_OUT} codes")
    return _dialled(text)


def _dialled(text: str) -> str:
    span = parse_span(text)
    if span.first != span.last:
        return f"{span.first}-{span.last}"
    if not text or any(key not in "0123456789*#ABCDabcd+" for key in text):
        raise ValueError("write digits, or a range like 101-110")
    return text


def _extension(text: str) -> str:
    if text.isalnum():  # as nearly all are
        return text
    span = parse_span(text)
    if " " in text.strip() or "*" in text:
        raise ValueError("write an extension like 101, or a range like 101-110")
    return f"{span.first}-{span.last}" if span.first != span.last else text


def _number(text: str) -> str:
    if text.isdigit() and is_number(text):  # as nearly all are
        return text
    span = parse_span(cleaned(text))
    if not (is_number(span.first) and is_number(span.last)):
        raise ValueError("write a number like 01908555101 or +441908555101, or a range of them")
    return f"{span.first}-{span.last}" if span.first != span.last else span.first


def _feature_code(text: str) -> str:
    if EXTENSION not in text:
        return _short_span(text)
    parse_pattern(text, star_is_a_key=True)
    return text


ACCOUNT_CODES = ListKind(EntryKind.ACCOUNT_CODE, "code", _account_code, texts=("extension",))
CONTEXTS = ListKind(EntryKind.CONTEXT, "context", _pattern, flags=("ivr",))
ENDPOINTS = ListKind(EntryKind.ENDPOINT, "channel", _pattern, texts=("extension",))
EXTENSIONS = ListKind(EntryKind.EXTENSION, "extension", _extension, texts=("name",))
DIDS = ListKind(EntryKind.DID, "number", _number, texts=("extension", "name"), flags=("ivr",))
TRUNKS = ListKind(EntryKind.TRUNK, "channel", _pattern, texts=("name",))
OUTSIDE_PREFIXES = ListKind(EntryKind.OUTSIDE_PREFIX, "prefix", _dialled)
FEATURE_CODES = ListKind(EntryKind.FEATURE_CODE, "code", _feature_code)

SHARED_LISTS = {"trunks": TRUNKS, "outside_prefixes": OUTSIDE_PREFIXES}
"""What a PBX may have that no company owns."""
COMPANY_LISTS = {
    "account_codes": ACCOUNT_CODES,
    "contexts": CONTEXTS,
    "endpoints": ENDPOINTS,
    "extensions": EXTENSIONS,
    "dids": DIDS,
    **SHARED_LISTS,
}
NOTHING_SAID: dict[str, Any] = {}
"""The detail of an entry of which nothing else is said: one for all of them, for there may be a million."""
_NARROWING = ("pbx", "from", "until")
FEATURES = ("pickup", "park", "park_slots", "voicemail", "other")


def read_list(
    problems: Problems, value: Any, place: Place, scope: Scope, listed: ListKind
) -> Iterator[Listed]:
    """The entries of a list."""
    found = _FoundIn(scope, listed, NOTHING_SAID)
    for item, item_place in problems.items(value, place):
        yield from _entries(problems, item, item_place, found)


def read_features(problems: Problems, value: Any, place: Place, scope: Scope) -> Iterator[Listed]:
    """The feature codes, by what they do."""
    for feature, codes in problems.mapping(value, place, FEATURES).items():
        found = _FoundIn(scope, FEATURE_CODES, {"feature": feature})
        for item, item_place in problems.items(codes, (*place, feature)):
            yield from _entries(problems, item, item_place, found)


class _FoundIn(NamedTuple):
    """The list that an item is in."""

    scope: Scope
    listed: ListKind
    detail: dict[str, Any]
    """What is said of all of its items."""


def _entries(problems: Problems, item: Any, place: Place, found: _FoundIn) -> Iterator[Listed]:
    said = _said(problems, item, place, found)
    if said is None:
        return
    pattern, scope, detail = said
    dates = scope.valid_from, scope.valid_until
    for pbx in scope.pbxs:
        entry = Entry(scope.company, pbx, found.listed.kind, pattern, detail, *dates)
        yield Listed(entry, place)


def _said(
    problems: Problems, item: Any, place: Place, found: _FoundIn
) -> tuple[str, Scope, dict[str, Any]] | None:
    """What an item is: the thing itself, or keys that say more of it; None where something is wrong."""
    scope, listed, given = found
    if isinstance(item, str):  # as nearly all items are
        text = _checked(problems, item, place, listed)
        return None if text is None else (text, scope, given)
    keys = item if isinstance(item, dict) else {listed.value: item}
    problems.mapping(keys, place, (listed.value, *listed.texts, *listed.flags, *_NARROWING))
    if listed.value not in keys:
        problems.add(place, f"its {listed.value} is missing")
        return None
    value_place = (*place, listed.value) if isinstance(item, dict) else place
    pattern = _checked(problems, keys[listed.value], value_place, listed)
    narrowed = narrow(problems, keys, place, scope)
    if pattern is None or narrowed is None:
        return None
    return pattern, narrowed, {**given, **detail_of(problems, keys, place, listed)}


def _checked(problems: Problems, value: Any, place: Place, listed: ListKind) -> str | None:
    text = problems.text(value, place)
    if text is None:
        return None
    try:
        return listed.check(text)
    except ValueError as error:
        problems.add(place, f"{text!r}: {error}")
        return None


def detail_of(
    problems: Problems, keys: Mapping[str, Any], place: Place, listed: ListKind
) -> dict[str, Any]:
    """What else an item says."""
    if not (keys.keys() & {*listed.texts, *listed.flags}):
        return {}
    texts = {k: problems.text(keys[k], (*place, k)) for k in listed.texts if k in keys}
    flags = {k: problems.flag(keys[k], (*place, k)) for k in listed.flags if k in keys}
    return {k: v for k, v in {**texts, **flags}.items() if v}


def narrow(problems: Problems, keys: Mapping[str, Any], place: Place, scope: Scope) -> Scope | None:
    """The scope, narrowed by the `pbx`, `from` and `until` of a mapping; None where nothing is left."""
    if keys.keys().isdisjoint(_NARROWING):
        return scope  # as nearly all items are
    moments = {
        key: problems.moment(keys[key], (*place, key), scope.zone)
        for key in ("from", "until")
        if key in keys
    }
    valid_from = max(filter(None, (scope.valid_from, moments.get("from"))), default=None)
    valid_until = min(filter(None, (scope.valid_until, moments.get("until"))), default=None)
    if valid_from and valid_until and valid_until <= valid_from:
        problems.add(
            (*place, "until" if "until" in keys else "from"),
            f"it is never valid: until {valid_until:%F %T} is not after from {valid_from:%F %T} (UTC)",
        )
        return None
    return replace(
        scope,
        pbxs=_pbxs(problems, keys["pbx"], (*place, "pbx"), scope) if "pbx" in keys else scope.pbxs,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def _pbxs(problems: Problems, value: Any, place: Place, scope: Scope) -> tuple[str | None, ...]:
    found = (
        problems.one_of(item, item_place, scope.known_pbxs)
        for item, item_place in problems.items(value, place)
    )
    return tuple(dict.fromkeys(name for name in found if name is not None)) or scope.pbxs
