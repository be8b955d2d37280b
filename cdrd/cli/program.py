"""What every command starts from: the settings, and the database they name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from cdrd.errors import SettingsError
from cdrd.settings import Settings, load_settings
from cdrd.store.database import Database
from cdrd.store.embedded import start_embedded

T = TypeVar("T")


def default_config() -> Path:
    """$CDRD_CONFIG, else ./cdrd.yaml where there is one, else /etc/cdrd/cdrd.yaml."""
    named = os.environ.get("CDRD_CONFIG")
    if named:
        return Path(named)
    here = Path("cdrd.yaml")
    return here if here.is_file() else Path("/etc/cdrd/cdrd.yaml")


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
        return start_embedded(settings.embedded)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The database, open."""
        settings = self.settings.database
        async with Database(
            self.dsn,
            pool_size=settings.pool_size,
            statement_timeout=settings.statement_timeout.total_seconds(),
        ) as database:
            yield database


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs the asynchronous part of a command."""
    return asyncio.run(work)
