"""The stage: the one server of all dialects, from the first connection to the last answer."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from cdrd import metrics
from cdrd.clock import wait_for
from cdrd.errors import CdrdError, SettingsError
from cdrd.logs import get_logger
from cdrd.serve.access import Access
from cdrd.serve.address import networks, why_not_bound
from cdrd.serve.door import Door
from cdrd.serve.forward import Forwarding, Forwards
from cdrd.serve.health import Health
from cdrd.serve.push import Pushes, Receive
from cdrd.serve.raw.routes import RawCdrs
from cdrd.serve.server import application
from cdrd.settings import ServeSettings
from cdrd.store.database import Database
from cdrd.store.feed import note_spans

_log = get_logger(stage="serve")

_DRAIN_SECONDS = 10.0
"""Requests that are being answered when the stage stops have so long to end."""
_IDLE_SECONDS = 75.0
"""A connection on which nothing is asked is closed; also one that never asks."""
_SPANS = 20
"""Spans of acctid that are noted in one go: some ten milliseconds of the database's time."""


async def serve(  # noqa: PLR0913 - what the daemon gives to every stage, and what only a server needs
    settings: ServeSettings,
    *,
    database: Database,
    readiness: Callable[[], Sequence[str]],
    beat: Callable[[], None],
    stopping: asyncio.Event,
    listening: Callable[[str], None],
    receive: Receive,
    forwards: Forwards,
) -> None:
    """Answers requests until told to stop; then those that have begun get their answer."""
    context = _tls(settings)
    access = Access(settings, database)
    door = Door(
        access,
        database,
        trusted=networks(settings.trusted_proxies),
        max_body=settings.max_body,
    )
    dialects = [
        RawCdrs(settings, database, door).dialect(),
        Pushes(settings, door, receive).dialect(),
        Forwarding(door, forwards).dialect(),
        Health(database, readiness).dialect(),
    ]
    app = application(dialects, tls=context is not None)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=_protocol_log(),
        keepalive_timeout=_IDLE_SECONDS,
        shutdown_timeout=_DRAIN_SECONDS,
        auto_decompress=False,  # `packed` does it, and knows when something is missing
    )
    await runner.setup()
    try:
        listening(await _listen(runner, settings, context))
        async with asyncio.TaskGroup() as tasks:
            noting = tasks.create_task(_note_dates(database))
            await _turn(beat, stopping)
            noting.cancel()
    finally:
        await runner.cleanup()
        access.close()


def check_serve(settings: ServeSettings, *, running: ServeSettings | None = None) -> None:
    """Raises what starting the server with these settings would raise, but for what another one did.

    A server that runs already has its own address.
    """
    _tls(settings)
    if running is not None and (settings.host, settings.port) != (running.host, running.port):
        trouble = why_not_bound(settings.host, settings.port)
        if trouble:
            raise _not_listening(settings, trouble)


def _tls(settings: ServeSettings) -> ssl.SSLContext | None:
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            [f"serve.certificate: {settings.certificate} and {settings.key} do not load: {error}"]
        ) from error
    return context


async def _listen(
    runner: web.AppRunner, settings: ServeSettings, context: ssl.SSLContext | None
) -> str:
    """Binds, and returns the address as a URL."""
    site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
    try:
        await site.start()
    except OSError as error:
        trouble = why_not_bound(settings.host, settings.port) or error.strerror or str(error)
        raise _not_listening(settings, trouble) from error
    host, port = runner.addresses[0][:2]
    url = f"{'https' if context else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    _log.info("listening", url=url)
    return url


def _not_listening(settings: ServeSettings, trouble: str) -> CdrdError:
    return CdrdError(
        f"cannot listen on {settings.host} port {settings.port}: {trouble}",
        hint="Choose another serve.port, or stop what listens there.",
    )


async def _turn(beat: Callable[[], None], stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        beat()
        await wait_for(stopping, 1.0)


async def _note_dates(database: Database) -> None:
    """Notes behind the collectors which dates are where, for readers that ask for dates.

    Without it nothing would be wrong, only slower: what fails is tried again the next time.
    """
    while True:
        try:
            noted = await note_spans(database, most=_SPANS)
        except CdrdError as error:
            metrics.faults.labels("serve", type(error).__name__).inc()
            noted = 0
        await asyncio.sleep(0.05 if noted == _SPANS else 1.0)


def _protocol_log() -> logging.Logger:
    """The library's own log, without a stack trace for each scanner that speaks no proper HTTP."""
    log = logging.getLogger("cdrd.http")
    if not log.filters:
        log.addFilter(_not_their_fault)
    return log


def _not_their_fault(record: logging.LogRecord) -> bool:
    theirs = (HttpProcessingError, web.RequestPayloadError)
    return not (record.exc_info and isinstance(record.exc_info[1], theirs))
