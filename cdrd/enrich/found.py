"""What the directory finds: parties, numbers, accounts, features."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import NamedTuple

from cdrd.records import CompanyId


class PartyKind(IntEnum):
    """What stands at one end of a leg."""

    NOBODY = 0
    STATION = auto()
    """An endpoint that a company owns."""
    TRUNK = auto()
    LOCAL = auto()
    """A Local channel: not a party, but a way through the dialplan to one."""
    UNLISTED = auto()
    """A telephone, or a trunk that nobody listed."""


class Party:
    """One end of a leg, as far as the name of its channel tells."""

    __slots__ = ("base", "company", "extension", "kind", "sort", "trunk")

    def __init__(
        self,
        kind: PartyKind,
        base: str = "",
        company: CompanyId | None = None,
        extension: str | None = None,
        trunk: str | None = None,
    ) -> None:
        self.kind = kind
        self.sort = int(kind)
        """The kind as a number that takes no time to reckon with."""
        self.base = base
        self.company = company
        self.extension = extension
        self.trunk = trunk


NOBODY = Party(PartyKind.NOBODY)


class Did(NamedTuple):
    """A number of the public network that a company owns."""

    company: CompanyId
    number: str
    """In full, as it is dialled at the site."""
    extension: str | None
    ivr: bool


class Account(NamedTuple):
    """Whose account code it is; `>101` and `globex-101` also name an extension."""

    company: CompanyId
    extension: str | None


class Feature(NamedTuple):
    """What a feature code does, and the extension that was keyed after it."""

    name: str
    extension: str | None


class Columns(NamedTuple):
    """Where a PBX writes what Asterisk has no column for."""

    did: str = "did"
    trunk: str = "trunkname"
    dialled: str = "dialfull"
    auth: str = "authuser"
    recording: str = "recordingfile"
    did_mark: str = "did:"
    auth_mark: str = "auth:"
    trust_account_codes: bool = False
