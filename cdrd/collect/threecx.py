"""The stage of a 3CX that writes its records to a socket, as a client or as a server: a line each.

Nothing is acknowledged on such a socket: a record that was sent while nobody listened is lost, so its
cdr.log beside it is the better source. What was received is held until it is stored; meanwhile nothing more
is read, and 3CX waits. A line that is cut off by the end of a connection goes to suspense as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cdrd import metrics
from cdrd.clock import stopwatch, wait_for
from cdrd.collect.pauses import Pauses
from cdrd.collect.push import Receiver, ready
from cdrd.errors import Unavailable
from cdrd.logs import get_logger
from cdrd.records import Push
from cdrd.source_settings import SourceSettings
from cdrd.store.database import Database

_PIECE = 65536
_PATIENCE = 10.0
"""Seconds that connecting may take."""
_LONGEST_PAUSE = 15.0
"""Seconds between two attempts to connect or to store."""
_LASTING = 5.0
"""A connection that lasted so long was a good one."""


async def receive_lines(
    source: SourceSettings,
    *,
    database: Database,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Takes lines until told to stop; what was taken is stored."""
    receiver = await ready(source, database, beat, stopping)
    if receiver is None:
        return
    lines = _Lines(source, receiver, stopping)
    working = asyncio.create_task(lines.serve() if source.listen else lines.connect_on())
    up = metrics.source_up.labels(source.name)
    up.set(1)
    try:
        while not working.done():
            beat()
            await asyncio.wait([working], timeout=1.0)
        await working
    finally:
        up.set(0)
        working.cancel()


class _Lines:
    def __init__(self, source: SourceSettings, receiver: Receiver, stopping: asyncio.Event) -> None:
        self._source = source
        self._receiver = receiver
        self._stopping = stopping
        self._log = get_logger(source=source.name)
        self._pauses = Pauses()
        self._open: set[asyncio.Future[None]] = set()
        host, _, port = (source.listen or source.connect or "").rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    async def serve(self) -> None:
        """3CX connects to us, as often as it likes."""
        while not self._stopping.is_set():
            try:
                server = await asyncio.start_server(
                    self._connected, self._host, self._port, limit=_PIECE
                )
            except OSError as error:
                await self._failed(f"cannot listen on {self._source.listen}: {error}")
                continue
            self._log.info("source_listening", address=self._source.listen)
            async with server:
                await self._stopping.wait()
        if self._open:
            await asyncio.wait(self._open)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._taken(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def connect_on(self) -> None:
        """We connect to 3CX, again and again."""
        while not self._stopping.is_set():
            began = stopwatch()
            try:
                async with asyncio.timeout(_PATIENCE):
                    reader, writer = await asyncio.open_connection(
                        self._host, self._port, limit=_PIECE
                    )
            except (OSError, TimeoutError) as error:
                await self._failed(f"{self._source.connect}: {str(error) or 'no answer in time'}")
                continue
            self._log.info("source_heard")
            await self._taken(reader, writer)
            if stopwatch() - began > _LASTING:
                self._pauses.over()
            if not self._stopping.is_set():
                await self._failed("the connection ended")

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        rest = b""
        try:
            while not self._stopping.is_set():
                data = await _piece(reader)
                if data == b"":
                    break
                whole, newline, rest = (rest + (data or b"")).rpartition(b"\n")
                await self._store(whole + newline)
                if len(rest) > self._source.max_record_bytes:
                    await self._store(rest)
                    rest = b""
        except OSError as error:
            self._log.info("connection_broken", error=str(error))
        finally:
            writer.close()
        await self._store(rest)

    async def _store(self, lines: bytes) -> None:
        pauses = Pauses()
        while lines.strip():
            try:
                await self._receiver.receive(Push(lines))
            except Unavailable as fault:
                metrics.faults.labels("3cx", type(fault).__name__).inc()
                await asyncio.sleep(pauses.next(_LONGEST_PAUSE))
            else:
                return

    async def _failed(self, why: str) -> None:
        metrics.faults.labels("3cx", "SourceUnavailable").inc()
        if not self._pauses.failures:
            self._log.warning("connecting_failed", error=why)
        await wait_for(self._stopping, self._pauses.next(_LONGEST_PAUSE))


async def _piece(reader: asyncio.StreamReader) -> bytes | None:
    """What has come; nothing at the end; None when nothing comes for a second."""
    try:
        async with asyncio.timeout(1.0):
            return await reader.read(_PIECE)
    except TimeoutError:
        return None
