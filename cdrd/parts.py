"""What a process runs: the parts that its settings and its roles want, and what each of them is given.

A part is the settings that it is started with, and a coroutine that runs until its event says stop. So
a reload need only compare the parts of the new settings with those that run.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cdrd.collect.ami import hear
from cdrd.collect.carriers import find_carrier
from cdrd.collect.forwarded import ForwardedSources, take_forwarded
from cdrd.collect.push import Inbox, take_pushes
from cdrd.collect.stage import collect
from cdrd.collect.threecx import receive_lines
from cdrd.enrich.stage import enrich
from cdrd.errors import NotFound
from cdrd.records import Push, Receipt, SourceKind
from cdrd.serve.stage import serve
from cdrd.settings import Settings
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database
from cdrd.store.sources import Claims
from cdrd.upkeep import upkeep


class Role(StrEnum):
    """What a process does; several processes on several machines may share the work."""

    COLLECT = "collect"
    ENRICH = "enrich"
    SERVE = "serve"


ALL_ROLES = frozenset(Role)

_Stage = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs until its event is set."""

    settings: object
    """What it was started with: when a reload brings another value, it is started again."""
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]


class Parts:
    """The parts of one process, and what they share: the database, the claims, what the server takes in."""

    def __init__(
        self,
        database: Database,
        *,
        roles: frozenset[Role],
        beat: Callable[[str], None],
        readiness: Callable[[], Sequence[str]],
        listening: Callable[[str], None],
    ) -> None:
        self._database = database
        self._roles = roles
        self._beat = beat
        self._claims = Claims(database, f"{socket.gethostname()}:{os.getpid()}")
        self._inbox = Inbox()
        self._ways: Mapping[str, str] = {}
        """How the records of each source come."""
        self._forwards = ForwardedSources(partial(self._coming_by, "forward"))
        self._reader = {
            "readiness": readiness,
            "listening": listening,
            "receive": self._receive,
            "forwards": self._forwards,
        }

    async def close(self) -> None:
        """Lets go of every claim."""
        await self._claims.close()

    def wanted(self, settings: Settings) -> dict[str, Part]:
        """Everything that these settings want to run, in the order of starting."""
        remember = settings.collect.remember_days
        parts = {
            "upkeep": Part(
                (settings.database, remember),
                self._run("upkeep", upkeep, settings.database, remember_days=remember),
            )
        }
        if Role.ENRICH in self._roles:
            deadline = settings.serve.deadline
            # it follows what is in force, wherever that was read: started anew it would load all of it
            deciding = settings.enrich.model_copy(update={"companies": None})
            parts["enrich"] = Part(
                (deciding, deadline),
                self._run("enrich", enrich, deciding, deadline=deadline),
            )
        if Role.SERVE in self._roles:
            parts["serve"] = Part(
                (settings.serve, _written(settings.serve.certificate, settings.serve.key)),
                self._run("serve", serve, settings.serve, **self._reader),
            )
        for source in settings.sources:
            part = self._source(source, settings)
            if part is not None:
                parts[f"collect {source.name}"] = part
        self._ways = {source.name: source.way for source in settings.sources}
        return parts

    def _source(self, source: SourceSettings, settings: Settings) -> Part | None:
        """What collects from a source; None when that is not for this process to do."""
        name = f"collect {source.name}"
        if source.way in {"push", "forward"}:  # whoever serves is sent to, and any number may be
            return self._served(source, settings) if Role.SERVE in self._roles else None
        if Role.COLLECT not in self._roles:
            return None
        if source.kind is SourceKind.ASTERISK_AMI:
            return Part(source, self._run(name, hear, source, claims=self._claims))
        if source.way in {"connect", "listen"}:
            return Part(source, self._run(name, receive_lines, source))
        return Part(
            (source, settings.collect, _carrier_written(source, settings)),
            self._run(
                name,
                collect,
                source,
                claims=self._claims,
                batch_bytes=settings.collect.batch_bytes,
                carriers=settings.collect.carriers,
            ),
        )

    def _served(self, source: SourceSettings, settings: Settings) -> Part:
        """What takes the records of a source from the server."""
        name = f"collect {source.name}"
        if source.way == "push":
            return Part(source, self._run(name, take_pushes, source, inbox=self._inbox))
        more = {"forwards": self._forwards, "batch_bytes": settings.collect.batch_bytes}
        return Part((source, settings.collect), self._run(name, take_forwarded, source, **more))

    def _run(
        self, name: str, stage: _Stage, settings: object, **more: Any
    ) -> Callable[[asyncio.Event], Coroutine[Any, Any, None]]:
        """A stage with all that it is given but the event that stops it."""
        beat = partial(self._beat, name)

        async def run(stopping: asyncio.Event) -> None:
            beat()
            await stage(settings, database=self._database, beat=beat, stopping=stopping, **more)

        return run

    def _coming_by(self, way: str) -> set[str]:
        """The sources whose records come in that way."""
        return {name for name, its_way in self._ways.items() if its_way == way}

    async def _receive(self, source: str, push: Push) -> Receipt:
        """Stores what was pushed to a source."""
        if self._ways.get(source) != "push":
            raise NotFound(f"there is no source {source} that is pushed to")
        return await self._inbox.receive(source, push)


def _written(*paths: Path | None) -> tuple[int, ...]:
    """When files were last written: a certificate is renewed under its old name."""
    return tuple(path.stat().st_mtime_ns for path in paths if path is not None and path.exists())


def _carrier_written(source: SourceSettings, settings: Settings) -> tuple[int, ...]:
    """When that was written which says how the files of a source's carrier are read."""
    if source.carrier is None:
        return ()
    return _written(find_carrier(source.carrier, settings.collect.carriers))
