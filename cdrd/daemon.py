"""The journey as time: what starts in which order, what a signal does, and how it all ends.

Every running piece (a source, the enrich stage, the server, the upkeep) is a part: the settings it was
started with, and a coroutine that runs until its event says stop. A reload compares the parts of the
new settings with those that run, and only what differs is stopped and started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from cdrd import metrics, systemd
from cdrd.checks import check_settings
from cdrd.clock import stopwatch
from cdrd.collect.ami import hear
from cdrd.collect.carriers import find_carrier
from cdrd.collect.forwarded import Receivers, take_forwarded
from cdrd.collect.push import Inbox, take_pushes
from cdrd.collect.stage import collect
from cdrd.collect.threecx import receive_lines
from cdrd.enrich.stage import apply_companies, enrich
from cdrd.errors import CdrdError, NotFound, SettingsError, Unavailable
from cdrd.logs import configure_logs, get_logger
from cdrd.records import Push, Receipt, SourceKind
from cdrd.serve.stage import serve
from cdrd.settings import Settings, SourceSettings, load_settings
from cdrd.store.database import Database
from cdrd.store.migrate import check_schema, migrate
from cdrd.store.sources import Claims
from cdrd.upkeep import keep_partitions, upkeep, wait_for

_log = get_logger()
_STOP_DEADLINE = 30.0
"""Seconds that a part may take to finish what it is doing; then it is cut off, which loses nothing."""
_LATE = 30.0
"""Seconds after which a part that has not turned its loop counts as stuck."""


class Role(StrEnum):
    """What a process does; several processes on several machines may share the work."""

    COLLECT = "collect"
    ENRICH = "enrich"
    SERVE = "serve"


ALL_ROLES = frozenset(Role)


class Pulse:
    """When each part last turned its loop."""

    def __init__(self) -> None:
        self._turned: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """A part turned its loop."""
        self._turned[part] = stopwatch()

    def forget(self, part: str) -> None:
        """A part was stopped on purpose."""
        self._turned.pop(part, None)

    def late(self) -> list[str]:
        """The parts that have not turned for too long."""
        now = stopwatch()
        return sorted(part for part, turned in self._turned.items() if now - turned > _LATE)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs until its event is set."""

    settings: object
    """What it was started with: when a reload brings another value, it is started again."""
    run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class _Running:
    part: Part
    stopping: asyncio.Event
    task: asyncio.Task[None]


class Daemon:
    """One process of cdrd, from the first look at the database to the last batch."""

    def __init__(
        self,
        settings: Settings,
        *,
        config: Path,
        database: Database,
        roles: frozenset[Role] = ALL_ROLES,
        listening: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._config = config
        self._database = database
        self._roles = roles
        self._listening = listening or (lambda _: None)
        self._claims = Claims(database, f"{socket.gethostname()}:{os.getpid()}")
        self._inbox = Inbox()
        self._receivers = Receivers(partial(self._sent, "forward"))
        self._pulse = Pulse()
        self._running: dict[str, _Running] = {}
        self._started = False
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` after everything in flight is committed."""
        self._stopping.set()

    def reload(self) -> None:
        """Reads the settings and the companies again."""
        self._reloading.set()

    async def run(self) -> None:
        """Runs until `stop`; an unexpected fault of any part ends all of them."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._start(tasks)
                beating = tasks.create_task(self._watchdog())
                await self._until_stopped(tasks)
                systemd.notify("STOPPING=1")
                await self._stop_parts(list(self._running))
                beating.cancel()
        finally:
            await self._claims.close()
        _log.info("stopped")

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        wanted = self._parts(self._settings)
        if "serve" in wanted:  # first, so that readers are told to retry instead of refused
            self._start_part(tasks, "serve", wanted["serve"])
        if not await self._wait_for_schema():
            return
        await self._apply_companies(self._settings)
        for name, part in wanted.items():
            if name not in self._running:
                self._start_part(tasks, name, part)
        self._started = True
        systemd.notify("READY=1", f"STATUS={len(self._running)} parts running")
        _log.info("started", parts=sorted(self._running), roles=sorted(self._roles))

    async def _wait_for_schema(self) -> bool:
        """Waits for a database that fits and has room for legs; False when told to stop meanwhile."""
        told = False
        while not self._stopping.is_set():
            try:
                if self._settings.database.migrate:
                    for applied in await migrate(self._database):
                        _log.info("migration_applied", number=applied.number, name=applied.name)
                await check_schema(self._database)
                await keep_partitions(self._settings.database, self._database)
            except Unavailable as error:
                if not told:
                    _log.warning("database_away", error=str(error), hint=error.hint)
                told = True
                systemd.notify("EXTEND_TIMEOUT_USEC=10000000", "STATUS=waiting for the database")
                await wait_for(self._stopping, 2.0)
            else:
                return True
        return False

    def _parts(self, settings: Settings) -> dict[str, Part]:
        """Everything that these settings want to run, in the order of starting."""
        parts = {
            "upkeep": Part(
                (settings.database, settings.collect.remember_days),
                partial(
                    self._run,
                    "upkeep",
                    upkeep,
                    settings.database,
                    {"remember_days": settings.collect.remember_days},
                ),
            )
        }
        if Role.ENRICH in self._roles:
            deadline = settings.serve.deadline
            parts["enrich"] = Part(
                (settings.enrich, deadline),
                partial(self._run, "enrich", enrich, settings.enrich, {"deadline": deadline}),
            )
        if Role.SERVE in self._roles:
            reader = {
                "readiness": self.readiness,
                "listening": self._listening,
                "receive": self._receive,
                "forwards": self._receivers,
            }
            parts["serve"] = Part(
                (settings.serve, _written(settings.serve.certificate, settings.serve.key)),
                partial(self._run, "serve", serve, settings.serve, reader),
            )
        for source in settings.sources:
            part = self._source(source, settings)
            if part is not None:
                parts[f"collect {source.name}"] = part
        return parts

    def _source(self, source: SourceSettings, settings: Settings) -> Part | None:
        """What collects from a source; None when that is not for this process to do."""
        name = f"collect {source.name}"
        if source.way in {"push", "forward"}:  # whoever serves is sent to, and any number may be
            return self._served(source, settings) if Role.SERVE in self._roles else None
        if Role.COLLECT not in self._roles:
            return None
        if source.kind is SourceKind.ASTERISK_AMI:
            return Part(source, partial(self._run, name, hear, source, {"claims": self._claims}))
        if source.way in {"connect", "listen"}:
            return Part(source, partial(self._run, name, receive_lines, source, {}))
        more = {
            "claims": self._claims,
            "batch_bytes": settings.collect.batch_bytes,
            "carriers": settings.collect.carriers,
        }
        return Part(
            (source, settings.collect, _carrier_written(source, settings)),
            partial(self._run, name, collect, source, more),
        )

    def _served(self, source: SourceSettings, settings: Settings) -> Part:
        """What takes the records of a source from the server."""
        name = f"collect {source.name}"
        if source.way == "push":
            return Part(
                source, partial(self._run, name, take_pushes, source, {"inbox": self._inbox})
            )
        more = {"receivers": self._receivers, "batch_bytes": settings.collect.batch_bytes}
        return Part(
            (source, settings.collect), partial(self._run, name, take_forwarded, source, more)
        )

    def _sent(self, way: str) -> set[str]:
        """The sources whose records come in that way."""
        return {source.name for source in self._settings.sources if source.way == way}

    async def _receive(self, source: str, push: Push) -> Receipt:
        """Stores what was pushed to a source."""
        if source not in self._sent("push"):
            raise NotFound(f"there is no source {source} that is pushed to")
        return await self._inbox.receive(source, push)

    async def _run(
        self,
        name: str,
        stage: Callable[..., Coroutine[Any, Any, None]],
        settings: object,
        more: dict[str, Any],
        stopping: asyncio.Event,
    ) -> None:
        beat = partial(self._pulse.beat, name)
        beat()
        await stage(settings, database=self._database, beat=beat, stopping=stopping, **more)

    def _start_part(self, tasks: asyncio.TaskGroup, name: str, part: Part) -> None:
        stopping = asyncio.Event()
        task = tasks.create_task(part.run(stopping), name=name)
        self._running[name] = _Running(part, stopping, task)

    async def _stop_parts(self, names: Sequence[str]) -> None:
        """Stops parts in the reverse of the order they were started in."""
        for name in reversed(names):
            running = self._running.pop(name)
            running.stopping.set()
            _, unfinished = await asyncio.wait([running.task], timeout=_STOP_DEADLINE)
            if unfinished:
                _log.warning("part_cut_off", part=name, seconds=_STOP_DEADLINE)
                running.task.cancel()
                await asyncio.wait([running.task])
            self._pulse.forget(name)

    async def _until_stopped(self, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping.is_set():
            events = [asyncio.create_task(e.wait()) for e in (self._stopping, self._reloading)]
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
            for event in events:
                event.cancel()
            if self._reloading.is_set() and not self._stopping.is_set():
                self._reloading.clear()
                await self._reload(tasks)

    async def _reload(self, tasks: asyncio.TaskGroup) -> None:
        """Takes up new settings; when anything is wrong with them, the old ones stay."""
        systemd.notify_reloading()
        try:
            settings = load_settings(self._config)
            # the companies are read once, when they are applied: they may be many
            roles = self._roles - {Role.ENRICH}
            check_settings(settings, roles=roles, running=self._settings.serve)
            await self._apply_companies(settings)
        except CdrdError as error:
            problems = error.problems if isinstance(error, SettingsError) else [str(error)]
            _log.error("reload_refused", problems=problems)
        else:
            await self._change_parts(tasks, settings)
        systemd.notify("READY=1")

    async def _change_parts(self, tasks: asyncio.TaskGroup, settings: Settings) -> None:
        if settings.database != self._settings.database:
            _log.warning("restart_needed", section="database")
        configure_logs(level=settings.logs.level, form=settings.logs.form)
        wanted = self._parts(settings)
        changed = [
            name
            for name, running in self._running.items()
            if name not in wanted or wanted[name].settings != running.part.settings
        ]
        await self._stop_parts(changed)
        for name, part in wanted.items():
            if name not in self._running:
                self._start_part(tasks, name, part)
        self._settings = settings
        _log.info("reloaded", restarted=sorted(changed), parts=sorted(self._running))

    async def _apply_companies(self, settings: Settings) -> None:
        path = settings.enrich.companies
        if path is not None and Role.ENRICH in self._roles:
            await apply_companies(
                self._database, path, applied_by=f"daemon on {socket.gethostname()}"
            )

    def readiness(self) -> list[str]:
        """Why this process is not ready to serve: nothing when it is."""
        if not self._started:
            return ["starting: waiting for the database or its schema"]
        return [f"{part} has not turned its loop for {_LATE:.0f} s" for part in self._pulse.late()]

    async def _watchdog(self) -> None:
        """Beats only while every part turns and the database answers."""
        seconds = systemd.watchdog_seconds()
        while seconds is not None:
            await asyncio.sleep(seconds / 3)
            late = self._pulse.late()
            if late:
                _log.error("parts_stuck", parts=late)
            elif await self._database_answers(seconds / 3):
                systemd.notify("WATCHDOG=1")

    async def _database_answers(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._database.alive()
        except (Unavailable, TimeoutError) as error:
            metrics.faults.labels("watchdog", type(error).__name__).inc()
            return False
        return True


def _written(*paths: Path | None) -> tuple[int, ...]:
    """When files were last written: a certificate is renewed under its old name."""
    return tuple(path.stat().st_mtime_ns for path in paths if path is not None and path.exists())


def _carrier_written(source: SourceSettings, settings: Settings) -> tuple[int, ...]:
    """When that was written which says how the files of a source's carrier are read."""
    if source.carrier is None:
        return ()
    return _written(find_carrier(source.carrier, settings.collect.carriers))


async def run_daemon(
    settings: Settings,
    *,
    config: Path,
    dsn: str,
    roles: frozenset[Role] = ALL_ROLES,
    listening: Callable[[str], None] | None = None,
) -> None:
    """Runs cdrd until SIGTERM or SIGINT; SIGHUP reloads. Raises SettingsError before anything starts."""
    check_settings(settings, roles=roles - {Role.ENRICH})
    async with Database(
        dsn,
        pool_size=settings.database.pool_size,
        statement_timeout=settings.database.statement_timeout.total_seconds(),
    ) as database:
        daemon = Daemon(
            settings, config=config, database=database, roles=roles, listening=listening
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, daemon.stop)
        loop.add_signal_handler(signal.SIGHUP, daemon.reload)
        await daemon.run()
