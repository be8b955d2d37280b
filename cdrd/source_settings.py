"""The settings of one source: where its records are, and how they are written."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from cdrd.records import SourceKind
from cdrd.settings_file import ROTATED, Duration, IdlePoll, Name, Section, Size, Zone, between

_ENDPOINT = re.compile(r"([^\s:\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
_WAYS = ("path", "drop", "push", "forward", "connect", "listen")
_WAYS_OF_KIND = {
    SourceKind.ASTERISK_AMI: ("connect",),
    SourceKind.FREESWITCH: ("push",),
    SourceKind.YEASTAR: ("push",),
    SourceKind.GRANDSTREAM: ("push",),
    SourceKind.THREECX: _WAYS,
    SourceKind.CARRIER: ("drop",),
}
"""How the records of a kind may come; all others by path, drop, push or forward."""


def _endpoint(value: str) -> str:
    match = _ENDPOINT.fullmatch(value)
    if match is None or not 0 < int(match[2]) < 1 << 16 or not _is_host(match[1]):
        raise ValueError(f"{value!r} is no address; write a host and a port: 192.0.2.5:5038")
    return value


def _is_host(text: str) -> bool:
    """Whether a resolver takes it: two dots in a row are no name, nor is a label of more than 63 bytes."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return True


def _needed(path: str, info: ValidationInfo) -> str:
    """Told with all other mistakes at once, as a check of the whole source would not be."""
    if not path and not any(info.data.get(way, "wrong") for way in _WAYS[1:]):
        raise ValueError("without drop, push, forward, connect or listen this key is needed")
    return path


Endpoint = Annotated[str, AfterValidator(_endpoint)]


class SourceSettings(Section):
    """One origin of records."""

    name: Name
    kind: SourceKind
    pbx: Name = "default"
    push: bool = False
    """The PBX posts its records to /push/NAME."""
    forward: bool = False
    """`cdrd forward` on the PBX ships its files here."""
    connect: Endpoint | None = None
    """asterisk-ami, 3cx: where the PBX listens."""
    listen: Endpoint | None = None
    """3cx: where the PBX connects to."""
    drop: str = ""
    """A pattern (glob) for files that are delivered whole, and read once each."""
    path: Annotated[str, AfterValidator(_needed)] = Field(default="", validate_default=True)
    """A file, or a pattern (glob) for many; each file that matches is followed by itself."""
    zone: Zone = "UTC"
    """The zone of times that the PBX writes without one; UTC with usegmtime=yes."""
    columns: Literal["auto"] | tuple[str, ...] = "auto"
    ambiguous: Literal["auto", "uniqueid", "userfield"] = "auto"
    format: Literal["csv", "json"] = "csv"
    """asterisk-cel: how cel_custom writes."""
    rotated: tuple[str, ...] = ROTATED
    max_record_bytes: Annotated[Size, Field(ge=1024, le=16 << 20)] = 65536
    complete_after: Duration = timedelta(seconds=10)
    """A file of `drop` is complete when it has not changed for so long."""
    idle_poll: IdlePoll = timedelta(milliseconds=50)
    tls: bool = False
    """asterisk-ami: whether `connect` speaks TLS."""
    ca: Path | None = None
    """asterisk-ami with TLS: who vouches for the PBX's certificate; None is whom the system trusts."""
    username: str = ""
    secret_file: Path | None = None
    mappings: dict[str, str] = Field(default_factory=dict)
    """asterisk-ami: key of `[mappings]` in cdr_manager.conf → field, in the order of that file."""
    keep_alive: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=10))] = (
        timedelta(seconds=10)
    )
    """How long a connection may be silent before it is asked whether it lives; twice that is dead."""
    carrier: Name | None = None
    """carrier: whose files they are; they are read as NAME.yaml in `collect.carriers` says."""

    @property
    def way(self) -> str:
        """How its records come: `path`, `drop`, `push`, `forward`, `connect` or `listen`."""
        return next(name for name in _WAYS if getattr(self, name))

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        allowed = _WAYS_OF_KIND.get(self.kind, ("path", "drop", "push", "forward"))
        given = [name for name in _WAYS if getattr(self, name)]
        if len(given) != 1 or given[0] not in allowed:
            found = " and ".join(given) or "none"
            raise ValueError(
                f"{self.kind.value} takes one of {', '.join(allowed)}; given is {found}"
            )
        if self.kind is SourceKind.ASTERISK_AMI and not (self.username and self.secret_file):
            raise ValueError("asterisk-ami needs username and secret_file")
        return self

    @model_validator(mode="after")
    def _of_a_carrier(self) -> Self:
        is_carrier = self.kind is SourceKind.CARRIER
        if is_carrier != (self.carrier is not None):
            raise ValueError("kind: carrier and the key carrier go together")
        elsewhere = {"zone", "columns", "max_record_bytes"} & self.model_fields_set
        if is_carrier and elsewhere:
            raise ValueError(f"{', '.join(sorted(elsewhere))}: belongs in the carrier's own file")
        return self

    @model_validator(mode="after")
    def _columns_of_custom(self) -> Self:
        if self.kind is SourceKind.ASTERISK_CUSTOM and self.columns == "auto":
            raise ValueError("columns: asterisk-custom needs the list of its columns")
        return self
