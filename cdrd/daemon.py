"""The journey as time: what starts in which order, what a signal does, and how it all ends.

Every running piece (a source, the enrich stage, the server, the upkeep) is a part; what parts there are
says `cdrd.parts`. A reload compares the parts of the new settings with those that run, and only what
differs is stopped and started again.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdrd import metrics, systemd
from cdrd.checks import check_settings
from cdrd.clock import stopwatch, wait_for
from cdrd.enrich.stage import apply_companies
from cdrd.errors import CdrdError, SettingsError, Unavailable
from cdrd.logs import configure_logs, get_logger
from cdrd.parts import ALL_ROLES, Part, Parts, Role
from cdrd.settings import Settings, load_settings
from cdrd.store.database import Database
from cdrd.store.migrate import check_schema, migrate
from cdrd.upkeep import keep_partitions

_log = get_logger()
_STOP_DEADLINE = 30.0
"""Seconds that a part may take to finish what it is doing; then it is cut off, which loses nothing."""
_ASK_EVERY = 10.0
"""Seconds between two messages to systemd that starting goes on."""
_LATE = 30.0
"""Seconds after which a part that has not turned its loop counts as stuck."""


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
        self._pulse = Pulse()
        self._parts = Parts(
            database,
            roles=roles,
            beat=self._pulse.beat,
            readiness=self.readiness,
            listening=listening or (lambda _: None),
        )
        self._running: dict[str, _Running] = {}
        self._waits_for = "the database or its schema"
        """What keeps it from being ready; empty once it was."""
        self._refused = ""
        """What is said of the last reload ..."""
        self._away = ""
        """... and of the database; empty when all is well."""
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
                asking = tasks.create_task(_ask_for_time())
                await self._start(tasks)
                asking.cancel()
                beating = tasks.create_task(self._watchdog())
                await self._until_stopped(tasks)
                systemd.notify("STOPPING=1")
                await self._stop_parts(list(self._running))
                beating.cancel()
        finally:
            await self._parts.close()
        _log.info("stopped")

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        wanted = self._parts.wanted(self._settings)
        if "serve" in wanted:  # first, so that readers are told to retry instead of refused
            self._start_part(tasks, "serve", wanted["serve"])
        if not await self._wait_for_schema():
            return
        self._waits_for = "the companies to be applied"
        systemd.notify(f"STATUS=waiting for {self._waits_for}")
        await self._apply_companies(self._settings)
        for name, part in wanted.items():
            if name not in self._running:
                self._start_part(tasks, name, part)
        self._waits_for = ""
        systemd.notify("READY=1", self._status())
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
                systemd.notify("STATUS=waiting for the database")
                await wait_for(self._stopping, 2.0)
            else:
                return True
        return False

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
            settings = await asyncio.to_thread(load_settings, self._config)
            # the companies are read once, when they are applied: they may be many
            roles = self._roles - {Role.ENRICH}
            await asyncio.to_thread(
                check_settings, settings, roles=roles, running=self._settings.serve
            )
            await self._apply_companies(settings)
            wanted = self._parts.wanted(settings)
        except CdrdError as error:
            problems = error.problems if isinstance(error, SettingsError) else [str(error)]
            _log.error("reload_refused", problems=problems)
            self._refused = "; the last reload was refused, the log says why"
        else:
            self._refused = ""
            if settings.database != self._settings.database:
                _log.warning("restart_needed", section="database")
            configure_logs(level=settings.logs.level, form=settings.logs.form)
            await self._change_parts(tasks, wanted)
            self._forget_sources(settings)
            self._settings = settings
        systemd.notify("READY=1", self._status())

    async def _change_parts(self, tasks: asyncio.TaskGroup, wanted: Mapping[str, Part]) -> None:
        changed = [
            name
            for name, running in self._running.items()
            if name not in wanted or wanted[name].settings != running.part.settings
        ]
        await self._stop_parts(changed)
        for name, part in wanted.items():
            if name not in self._running:
                self._start_part(tasks, name, part)
        _log.info("reloaded", restarted=sorted(changed), parts=sorted(self._running))

    def _forget_sources(self, settings: Settings) -> None:
        """Nobody is to be alarmed about sources that were taken out."""
        wanted = {source.name for source in settings.sources}
        for name in {source.name for source in self._settings.sources} - wanted:
            metrics.forget(name)

    async def _apply_companies(self, settings: Settings) -> None:
        """A million entries take minutes: whoever tells us to stop meanwhile does not wait for them."""
        path = settings.enrich.companies
        if path is None or Role.ENRICH not in self._roles:
            return
        by = f"daemon on {socket.gethostname()}"
        applying = asyncio.create_task(apply_companies(self._database, path, applied_by=by))
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((applying, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            applying.cancel()  # where it is not done
            stopped.cancel()
        await asyncio.wait((applying,))
        if not applying.cancelled():
            applying.result()

    def _status(self) -> str:
        """What `systemctl status` shows of a process that runs."""
        return f"STATUS={len(self._running)} parts running{self._away}{self._refused}"

    def readiness(self) -> list[str]:
        """Why this process is not ready to serve: nothing when it is."""
        if self._waits_for:
            return [f"starting: waiting for {self._waits_for}"]
        return [f"{part} has not turned its loop for {_LATE:.0f} s" for part in self._pulse.late()]

    async def _watchdog(self) -> None:
        """Beats only while every part turns, and nothing holds all connections to the database."""
        seconds = systemd.watchdog_seconds()
        while seconds is not None:
            await asyncio.sleep(seconds / 3)
            late = self._pulse.late()
            if late:
                _log.error("parts_stuck", parts=late)
            elif not await self._is_cut_off(seconds / 3, seconds / 6):
                systemd.notify("WATCHDOG=1", self._status())

    async def _is_cut_off(self, patience: float, to_connect: float) -> bool:
        """Whether we get nothing from a database that others get answers from: a new start helps then.

        While it is away it does not, and would lose what a manager interface has said meanwhile.
        """
        try:
            async with asyncio.timeout(patience):
                await self._database.alive()
        except (Unavailable, TimeoutError) as error:
            metrics.faults.labels("watchdog", type(error).__name__).inc()
            self._away = "; the database does not answer"
        else:
            self._away = ""
            return False
        try:
            async with asyncio.timeout(to_connect):
                connection = await self._database.dedicated()
        except (Unavailable, TimeoutError):
            return False
        connection.terminate()
        return True


async def _ask_for_time() -> None:
    """Until it is cancelled systemd does not give up: a database may come later, a directory be large."""
    while True:
        systemd.notify(f"EXTEND_TIMEOUT_USEC={3 * _ASK_EVERY * 1_000_000:.0f}")
        await asyncio.sleep(_ASK_EVERY)


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
