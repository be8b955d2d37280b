"""The settings of the daemon: cdrd.yaml as a typed model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from cdrd.settings_file import Duration, Section, Size, between, read_settings, secret
from cdrd.source_settings import SourceSettings


def _without_dsn(path: Path | None, info: ValidationInfo) -> Path | None:
    if path is not None and info.data.get("dsn"):
        raise ValueError("give dsn or dsn_file, not both")
    return path


class DatabaseSettings(Section):
    """Where PostgreSQL is."""

    dsn: Annotated[str, Field(repr=False)] = ""
    """Several hosts may be named: postgresql://cdrd@db1,db2/cdrd; the primary is found."""
    dsn_file: Annotated[Path | None, AfterValidator(_without_dsn)] = None
    """A file that holds the DSN; the systemd credential `dsn` is used by itself when it is there."""
    embedded: Path | None = None
    """Folder of an embedded PostgreSQL, started when no DSN is given."""
    pool_size: Annotated[int, Field(ge=4, le=500)] = 10
    statement_timeout: Annotated[Duration, between(timedelta(seconds=1), timedelta(days=1))] = (
        timedelta(seconds=60)
    )
    migrate: bool = False
    """Whether `cdrd run` applies missing migrations itself."""
    partition_legs: Annotated[int, Field(ge=1000)] = 10_000_000
    partitions_ahead_legs: Annotated[int, Field(ge=1000)] = 10_000_000


class CollectSettings(Section):
    """How files are read."""

    batch_bytes: Annotated[Size, Field(ge=4096, le=64 << 20)] = 3 << 20
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
