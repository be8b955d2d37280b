"""The settings: cdrd.yaml as a typed model. Every error of the file is reported at once, with its line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from cdrd.errors import SettingsError
from cdrd.records import SourceKind
from cdrd.yamlfile import Place, YamlDocument, read_yaml

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB)?")
_ENDPOINT = re.compile(r"([^\s:\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")
_BYTES = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _duration(value: object) -> object:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{value!r} is no duration; write a number and a unit: 250ms, 10s, 5m, 2h, 1d"
        )
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


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


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Zone = Annotated[str, AfterValidator(_zone)]
_NAME = r"^[a-z0-9][a-z0-9_.-]{0,62}$"
Name = Annotated[str, Field(pattern=_NAME)]


def is_name(text: str) -> bool:
    """Whether a source or a carrier may be called so."""
    return re.fullmatch(_NAME, text) is not None


def _endpoint(value: str) -> str:
    match = _ENDPOINT.fullmatch(value)
    if match is None or not 0 < int(match[2]) < 1 << 16:
        raise ValueError(f"{value!r} is no address; write a host and a port: 192.0.2.5:5038")
    return value


def _needed(path: str, info: ValidationInfo) -> str:
    """Told with all other mistakes at once, as a check of the whole source would not be."""
    if not path and not any(info.data.get(way, "wrong") for way in _WAYS[1:]):
        raise ValueError("without drop, push, forward, connect or listen this key is needed")
    return path


Endpoint = Annotated[str, AfterValidator(_endpoint)]

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


class Section(BaseModel):
    """A part of a settings file; a key that it does not have is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(Section):
    """Where PostgreSQL is."""

    dsn: Annotated[str, Field(repr=False)] = ""
    """Several hosts may be named: postgresql://cdrd@db1,db2/cdrd; the primary is found."""
    dsn_file: Path | None = None
    """A file that holds the DSN; the systemd credential `dsn` is used by itself when it is there."""
    embedded: Path | None = None
    """Folder of an embedded PostgreSQL, started when no DSN is given."""
    pool_size: Annotated[int, Field(ge=4, le=500)] = 10
    statement_timeout: Duration = timedelta(seconds=60)
    migrate: bool = False
    """Whether `cdrd run` applies missing migrations itself."""
    partition_legs: Annotated[int, Field(ge=1000)] = 10_000_000
    partitions_ahead_legs: Annotated[int, Field(ge=1000)] = 10_000_000

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.dsn and self.dsn_file:
            raise ValueError("give dsn or dsn_file, not both")
        return self


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
    rotated: tuple[str, ...] = ("{path}.*", "{path}-*", "{stem}-[0-9]*{suffix}*")
    """Where rotated files of the path are found; {path}, {stem} and {suffix} are those of each file."""
    max_record_bytes: Annotated[Size, Field(ge=1024, le=16 << 20)] = 65536
    complete_after: Duration = timedelta(seconds=10)
    """A file of `drop` is complete when it has not changed for so long."""
    idle_poll: Duration = timedelta(milliseconds=50)
    """How long a quiet file is left alone before it is looked at again."""
    tls: bool = False
    """asterisk-ami: whether `connect` speaks TLS."""
    ca: Path | None = None
    """asterisk-ami with TLS: who vouches for the PBX's certificate; None is whom the system trusts."""
    username: str = ""
    secret_file: Path | None = None
    mappings: dict[str, str] = Field(default_factory=dict)
    """asterisk-ami: key of `[mappings]` in cdr_manager.conf → field, in the order of that file."""
    keep_alive: Duration = timedelta(seconds=10)
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


class CollectSettings(Section):
    """How files are read."""

    batch_bytes: Annotated[Size, Field(ge=4096, le=64 << 20)] = 1 << 20
    remember_days: Annotated[int, Field(ge=2, le=1000)] = 45
    """For how long a record is recognised that another source has delivered, or a push that is repeated."""
    carriers: Path | None = None
    """A folder with a file NAME.yaml for each carrier: how its files are read."""


class EnrichSettings(Section):
    """How legs are attributed."""

    companies: Path | None = None
    """companies.yaml; applied at start and on SIGHUP when it changed."""
    batch_legs: Annotated[int, Field(ge=1, le=100_000)] = 5000
    lookback_legs: Annotated[int, Field(ge=0)] = 20_000_000
    """How many acctids back the earlier legs of a call are looked for."""
    settle_after: Duration = timedelta(minutes=5)
    """A call of which nothing came for so long is settled, where no events say that it has ended."""


class ThrottleSettings(Section):
    """How wrong credentials are slowed down, per address."""

    failures: Annotated[int, Field(ge=1)] = 10
    """So many wrong ones are answered at once ..."""
    per: Duration = timedelta(minutes=1)
    """... in so long a time; then 429 until it is over."""


class ServeSettings(Section):
    """The HTTP server of all dialects."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8887
    certificate: Path | None = None
    key: Path | None = None
    deadline: Duration = timedelta(seconds=10)
    """A leg that is not attributed after so long is served as it is."""
    default_rows: Annotated[int, Field(ge=1)] = 500
    max_rows: Annotated[int, Field(ge=1)] = 10_000
    max_body: Annotated[Size, Field(ge=1024)] = 65536
    max_push: Annotated[Size, Field(ge=1024, le=64 << 20)] = 4 << 20
    """Of a body that is pushed, unpacked."""
    session: Duration = timedelta(hours=8)
    throttle: ThrottleSettings = ThrottleSettings()
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.default_rows > self.max_rows:
            raise ValueError(
                f"default_rows ({self.default_rows}) is more than max_rows ({self.max_rows})"
            )
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class LogSettings(Section):
    """How the log is written."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    form: Literal["auto", "console", "json"] = "auto"


class Settings(Section):
    """All of cdrd.yaml."""

    database: DatabaseSettings = DatabaseSettings()
    sources: tuple[SourceSettings, ...] = ()
    collect: CollectSettings = CollectSettings()
    enrich: EnrichSettings = EnrichSettings()
    serve: ServeSettings = ServeSettings()
    logs: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _source_names_are_unique(self) -> Self:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"sources: the name {twice[0]!r} is given twice")
        return self


def load_settings(path: Path, *, environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks a file; raises SettingsError with every problem in it."""
    where = environment if environment is not None else os.environ
    return _with_secret_dsn(read_settings(path, Settings), where, folder=path.parent)


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
    return f"{document.where(place)}: {message}"


def _with_secret_dsn(
    settings: Settings, environment: Mapping[str, str], *, folder: Path
) -> Settings:
    """The DSN from its file: the named one, systemd's credential, or `dsn` beside the settings.

    The last is what the credential is made of, so that root's own commands need no other settings.
    """
    if settings.database.dsn or settings.database.embedded:
        return settings
    dsn = secret(
        "dsn", settings.database.dsn_file, environment, folder=folder, key="database.dsn_file"
    )
    if dsn is None:
        return settings
    return settings.model_copy(
        update={"database": settings.database.model_copy(update={"dsn": dsn})}
    )


def secret(
    name: str, named: Path | None, environment: Mapping[str, str], *, folder: Path, key: str
) -> str | None:
    """What is in the file that `key` names, else in systemd's credential, else in `name` in the folder.

    None where none of them is there.
    """
    usual = [Path(environment.get("CREDENTIALS_DIRECTORY") or folder, name), folder / name]
    path = named or next((path for path in usual if path.is_file()), None)
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{key}: {path} cannot be read: {error}"]) from error
