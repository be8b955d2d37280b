"""What every command starts from: the settings, and the database they name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cdrd.errors import SettingsError
from cdrd.settings import Settings, load_settings

if TYPE_CHECKING:  # what speaks to the database is imported by those commands that do
    from cdrd.store.database import Database

T = TypeVar("T")
_FIRST_ANSWER = 5.0
"""Seconds that whoever has typed a command waits until the database says anything."""
_Command = TypeVar("_Command", bound=Callable[..., Any])


def default_config() -> Path:
    """$CDRD_CONFIG, else ./cdrd.yaml where there is one, else /etc/cdrd/cdrd.yaml."""
    named = os.environ.get("CDRD_CONFIG")
    if named:
        return Path(named)
    here = Path("cdrd.yaml")
    return here if here.is_file() else Path("/etc/cdrd/cdrd.yaml")


def config_option(default: Callable[[], Path], places: str) -> Callable[[_Command], _Command]:
    """The option that names a file of settings."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path, readable=False),
        default=default,
        help=f"The settings; by default {places}.",
    )


class Program:
    """One run of the command line."""

    def __init__(self, config: Path) -> None:
        self.config = config

    @cached_property
    def settings(self) -> Settings:
        """The settings, read when first asked for."""
        return load_settings(self.config)

    @property
    def dsn(self) -> str:
        """Where PostgreSQL is; starts the embedded one where the settings name a folder for it."""
        settings = self.settings.database
        if settings.dsn:
            return settings.dsn
        if settings.embedded is None:
            raise SettingsError(
                [
                    f"{self.config}: database: give a dsn, a dsn_file, or a folder for an embedded server"
                ]
            )
        from cdrd.store.embedded import start_embedded  # noqa: PLC0415 - as above

        return start_embedded(settings.embedded)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The database, open; StoreUnavailable where it does not answer soon."""
        from cdrd.store.database import Database, in_time  # noqa: PLC0415 - as above

        settings = self.settings.database
        async with Database(
            self.dsn,
            pool_size=settings.pool_size,
            statement_timeout=settings.statement_timeout.total_seconds(),
        ) as database:
            async with in_time(_FIRST_ANSWER):
                await database.alive()
            yield database


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the asynchronous part of a command."""
    return asyncio.run(work)
