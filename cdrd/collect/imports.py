"""One file of a carrier is imported: read as a drop folder reads one, but now, and because somebody says so.

What is stored is committed with the position in the file, so an import that was cut off goes on where it
was when the same file is imported again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from cdrd.collect.carriers import Carrier
from cdrd.collect.disk import DiskFile, look
from cdrd.collect.drops import DropFolder
from cdrd.collect.happened import Happened, What
from cdrd.collect.stage import carrier_folder
from cdrd.collect.storing import Destination, Stored, store
from cdrd.collect.tracks import Taken
from cdrd.errors import Conflict, NotFound, SourceUnavailable
from cdrd.records import Claim, Family, FileId, FileState, SourceId, SourceKind
from cdrd.settings import Settings
from cdrd.source_settings import SourceSettings
from cdrd.store.carriers import positions_of_carrier
from cdrd.store.database import Database
from cdrd.store.sources import Claims, register_source

_IMPORTED = "import:"
"""How the sources begin whose files somebody imported; no name in the settings can."""
_ATTEMPTS = 3
_CLAIM_SECONDS = 5.0
"""So long an import that was killed may still seem to run."""
_REASONS = {What.FILE_CUT: "it ends too early, or is damaged", What.FILE_TRUNCATED: "it changed"}


class Imported(NamedTuple):
    """What became of a file."""

    file_id: FileId
    state: FileState
    stored: int
    suspended: int
    like: FileId | None
    """The file that a held one is like."""


def import_name(carrier: str) -> str:
    """The source that imported files of a carrier belong to."""
    return f"{_IMPORTED}{carrier}"


def is_import(name: str) -> bool:
    """Whether a source is one of imported files, which nobody collects from all the time."""
    return name.startswith(_IMPORTED)


def source_named(settings: Settings, name: str) -> SourceSettings | None:
    """A source of the settings, or the one of imported files that has this name."""
    if is_import(name):
        return _import_source(name.removeprefix(_IMPORTED))
    return next((source for source in settings.sources if source.name == name), None)


def _import_source(carrier: str) -> SourceSettings:
    named = {"name": "import", "kind": "carrier", "carrier": carrier, "drop": "/dev/null"}
    return SourceSettings.model_validate(named).model_copy(update={"name": import_name(carrier)})


async def claim_import(database: Database, claims: Claims, carrier: str) -> Claim:
    """The right to import files of a carrier; Conflict while somebody else does."""
    source_id = await register_source(
        database,
        name=import_name(carrier),
        kind=SourceKind.CARRIER,
        pbx="default",
        carrier=carrier,
    )
    deadline = asyncio.get_running_loop().time() + _CLAIM_SECONDS
    while (claim := await claims.claim(source_id)) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise Conflict(
                f"somebody else imports files of {carrier} now", hint="Try again when that is done."
            )
        await asyncio.sleep(0.2)
    return claim


class Importer:
    """Imports files of one carrier, one after another."""

    def __init__(
        self, database: Database, claim: Claim, carrier: Carrier, batch_bytes: int
    ) -> None:
        self._database = database
        self._destination = Destination(claim, Family.CARRIER_ROW)
        self._carrier = carrier
        self._batch_bytes = batch_bytes

    async def read(self, path: str, progress: Callable[[int], None] = lambda _: None) -> Imported:
        """Imports a file; `progress` is told of bytes as they are stored.

        NotFound and SourceUnavailable say why it cannot be read; Conflict, that others were faster.
        """
        file = await asyncio.to_thread(_look, path)
        if file is None:
            raise NotFound(f"{path}: there is no such file")
        if not file.size:
            raise SourceUnavailable(f"{path}: there is nothing in it")
        source = _import_source(self._carrier.name)
        for attempt in range(_ATTEMPTS):
            folder = carrier_folder(source, self._carrier, self._batch_bytes)
            with closing(folder):
                try:
                    return await self._attempt(folder, file, progress)
                except Conflict:  # the same file comes by another way; what is there now decides
                    if attempt + 1 == _ATTEMPTS:
                        raise
        raise AssertionError

    async def _attempt(
        self, folder: DropFolder, file: DiskFile, progress: Callable[[int], None]
    ) -> Imported:
        source_id: SourceId = self._destination.claim.source_id
        folder.resume(await positions_of_carrier(self._database, source_id))
        taken = await asyncio.to_thread(folder.begin, file)
        stored = suspended = 0
        last: Taken | None = None
        while taken is not None:
            if last is None:
                progress(taken.start.offset)
            last = taken
            done: Stored = await store(self._database, self._destination, taken)
            stored += done.stored
            suspended += len(done.rejected)
            progress(taken.decoded.consumed)
            taken = await asyncio.to_thread(folder.take) if folder.paths else None
        state = None if last is None else last.position.state
        if last is None or last.generation.file_id is None or state is FileState.FOLLOWING:
            raise SourceUnavailable(f"{file.path}: {_why(folder.happened())}")
        return Imported(
            last.generation.file_id,
            last.position.state,
            stored,
            suspended,
            last.position.like,
        )


def _look(path: str) -> DiskFile | None:
    """The file by its whole path, by which it is known from now on."""
    return look(os.path.abspath(path))  # noqa: PTH100 - the text of the path is what counts


def _why(told: list[Happened]) -> str:
    """Why a file was not read to its end."""
    for fact in told:
        if fact.what in _REASONS:
            return _REASONS[fact.what]
        if fact.what is What.FILE_UNREADABLE:
            return str(fact.detail["error"])
    return "it changed while it was read"
