"""Who owns what and who may read it, as types: the directory, and principals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from cdrd.records import CompanyId


class EntryKind(StrEnum):
    """What a company can own. Each directory entry is one of these with a pattern."""

    ACCOUNT_CODE = "account_code"
    CONTEXT = "context"
    ENDPOINT = "endpoint"
    EXTENSION = "extension"
    DID = "did"
    TRUNK = "trunk"
    OUTSIDE_PREFIX = "outside_prefix"
    FEATURE_CODE = "feature_code"
    UNOWNED = "unowned"
    """The stations that no company owns belong to this one; the pattern is `*`."""
    PBX = "pbx"
    """Not owned: what is true of a whole PBX (its dialling profile, its columns); the pattern is its name."""


class Entry(NamedTuple):
    """One fact of the directory: from then until then, on this PBX, this belongs to that company."""

    company: CompanyId | None
    """None for what the whole PBX shares: a carrier trunk, a feature code, an outside-line prefix."""
    pbx: str | None
    """None where it holds on every PBX."""
    kind: EntryKind
    pattern: str
    detail: dict[str, Any]
    """What else the kind needs, e.g. {"extension": "101"} of an endpoint or DID."""
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Company:
    """Whoever may be billed."""

    company: CompanyId
    name: str
    billing_group: str | None = None
    pays: dict[str, str] = field(default_factory=dict)
    """Overrides of who pays, by situation; the values are companies or roles."""
    detail: dict[str, Any] = field(default_factory=dict)
    """What else companies.yaml says of it that rules read, e.g. how local numbers expand."""


@dataclass(frozen=True, slots=True)
class DirectoryVersion:
    """The directory as it was applied at one time."""

    version: int
    companies: Sequence[Company]
    entries: Sequence[Entry]


class Permission(StrEnum):
    """What a principal may do."""

    SYSTEM_ADMIN = "system-admin"
    BILLING_CALL_SUMMARY = "billing call-summary"
    CALLS = "calls"
    REPORTS = "reports"
    RECORDINGS = "recordings"
    DATA_PROTECTION = "data protection"
    CDR_PUSH = "cdr push"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Every read carries one."""

    principal_id: int
    login: str
    name: str
    permissions: frozenset[Permission]
    companies: tuple[str, ...] | None
    """The companies whose legs it may see; None is all of them."""
    sources: frozenset[str] = frozenset()
    """The sources that it may push to, where it has the permission `cdr push`."""
