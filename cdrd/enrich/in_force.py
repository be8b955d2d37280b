"""The directory in force, followed: loaded and compiled beside the one in use, which it then replaces."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cdrd import metrics
from cdrd.clock import wait_for
from cdrd.enrich.compiled import Compiled, fill
from cdrd.enrich.directory import Directory
from cdrd.errors import Unavailable
from cdrd.logs import get_logger
from cdrd.owners import DirectoryVersion, Entry
from cdrd.store.attributions import wait_for_writers
from cdrd.store.database import Database
from cdrd.store.directory import current_version, load_directory

_log = get_logger(stage="enrich")


_MANY = 20_000
"""Entries that take seconds to load."""
_PAUSE = 0.001
"""Seconds between two steps of loading: of a million entries there are thousands, and legs come meanwhile."""
_AT_ONCE = 1000
"""Entries that are let go of in one step."""
_LAST_USE = 1.0
"""Seconds after which nobody decides any more by a directory that was replaced."""


@contextmanager
def _uncollected() -> Iterator[None]:
    """The garbage collector rests: of a million entries each of its passes takes a second or more."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class InForce:
    """The newest directory that could be loaded, and what is known of newer ones."""

    def __init__(self, database: Database, replaced: Callable[[], None]) -> None:
        self.directory: Directory | None = None
        self._database = database
        self._replaced = replaced
        self._entries: list[Entry] = []
        """Those of the directory in use, ..."""
        self._former: list[Entry] = []
        """... and of the one before it, until they are let go of."""
        self._is_large = False
        self._unloadable = 0
        self._not_waited_for = 0
        self.wanted = asyncio.Event()
        """Set when somebody waits for a newer version."""
        self._looked = asyncio.Event()

    @property
    def version(self) -> int:
        """The version of the directory in use; 0 for none."""
        return self.directory.version if self.directory else 0

    def may_decide(self, version: int) -> bool:
        """Whether legs are decided now, when that version is in force."""
        return version <= max(self.version, self._not_waited_for)

    async def take_up(self) -> None:
        """Loads the version in force, where it is not in use yet."""
        version = await current_version(self._database)
        if version > max(self.version, self._unloadable):
            await self._load(version)
        self._looked.set()
        await self._let_go()

    async def _load(self, version: int) -> None:
        """When it fails the last good directory stays in use, and the log and the metrics say so."""
        try:
            with _uncollected():
                content = await load_directory(self._database, version, pause=self._pause)
                directory = await self._compiled(content)
                self._is_large = len(content.entries) > _MANY
                if self._is_large:
                    # no pass ever looks at it; nothing in it refers in a circle: it goes with its last user
                    gc.freeze()
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the directory before it still decides
            self._unloadable = self._not_waited_for = version
            metrics.faults.labels("enrich", type(error).__name__).inc()
            _log.exception("directory_not_loaded", version=version, kept=self.version)
            return
        async with self._database.transaction() as connection:
            # what others are just writing without this version must be seen by who looks for it next
            await wait_for_writers(connection)
        self.directory = directory
        _log.info("directory_loaded", version=version, entries=len(content.entries))
        self._replaced()
        self._former, self._entries = self._entries, list(content.entries)

    async def _pause(self) -> None:
        """Between two steps others have their turn; where one is in use already, they come first."""
        await asyncio.sleep(_PAUSE if self.directory else 0)

    async def _compiled(self, content: DirectoryVersion) -> Directory:
        companies = {company.company: company for company in content.companies}
        found = Compiled()
        for _ in fill(found, content.entries, companies):
            await self._pause()
        return Directory(content.version, companies, found)

    async def _let_go(self) -> None:
        """To free a million entries at once takes as long as many legs need to be decided."""
        if len(self._former) > _MANY:
            await asyncio.sleep(_LAST_USE)
        while self._former:
            del self._former[-_AT_ONCE:]
            await self._pause()

    async def wait(self, version: int, seconds: float) -> None:
        """Waits a little for a version to be loaded, and only once; without any directory, each time.

        So what comes just after a change is decided by it, and a directory that takes long stops nobody:
        while a large one is replaced, the one before it decides, and then that is decided again.
        """
        if self.may_decide(version):
            return
        self._looked.clear()
        self.wanted.set()
        if not self._is_large:
            await wait_for(self._looked, seconds)
        if self.directory is not None:
            self._not_waited_for = max(version, self._not_waited_for)
