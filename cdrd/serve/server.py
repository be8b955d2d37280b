"""The one HTTP server: each request finds its dialect, and each fault becomes that dialect's envelope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from cdrd import metrics
from cdrd.clock import stopwatch
from cdrd.errors import CdrdError, SchemaError, Unavailable
from cdrd.logs import get_logger
from cdrd.serve.dialect import Dialect
from cdrd.serve.refusal import Refusal, away
from cdrd.serve.sending import BrokenOff, json_answer, send

_log = get_logger(stage="serve")
_Route = Callable[[web.Request], Awaitable[web.StreamResponse]]

_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def application(dialects: Sequence[Dialect], *, tls: bool) -> web.Application:
    """Every dialect below its own prefix."""
    app = web.Application(middlewares=[_Front(dialects).middleware()])
    headers = {**_HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if tls else {})}

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Server"] = "cdrd"
        for name, value in headers.items():
            response.headers.setdefault(name, value)

    app.on_response_prepare.append(add_headers)
    for dialect in dialects:
        app.router.add_routes(dialect.routes)
    return app


class _Front:
    """What happens around every request, whatever its dialect."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        # the longest prefix first; the dialect with the empty prefix has whatever is left
        self._dialects = sorted(dialects, key=lambda dialect: len(dialect.prefix), reverse=True)
        self._away = False

    def middleware(self) -> Any:
        """As the HTTP library wants it."""

        @web.middleware
        async def front(request: web.Request, handler: _Route) -> web.StreamResponse:
            began = stopwatch()
            dialect = next(dialect for dialect in self._dialects if dialect.has(request.path))
            response, outcome = await self._answered(request, handler, dialect)
            _note(request, dialect, outcome, stopwatch() - began)
            return response

        return front

    async def _answered(
        self, request: web.Request, route: _Route, dialect: Dialect
    ) -> tuple[web.StreamResponse, str]:
        """The answer, sent, and what the metrics call it."""
        try:
            response = await self._attempt(request, route, dialect)
            await send(request, response)
        except BrokenOff as broken:
            cause = broken.__cause__
            report = _log.debug if isinstance(cause, ConnectionError) else _log.warning
            report("answer_broken_off", path=request.path, error=str(cause) or type(cause).__name__)
            return broken.response, "broken off"
        return response, str(response.status)

    async def _attempt(
        self, request: web.Request, route: _Route, dialect: Dialect
    ) -> web.StreamResponse:
        try:
            response = await route(request)
        except BrokenOff:
            raise
        except Exception as error:  # noqa: BLE001 - the edge of the room: whatever it was, the caller gets an envelope
            refusal = self._refusal(error, request)
        else:
            if dialect.prefix:
                self._database_answered()
            return response
        refused = json_answer(dialect.envelope(refusal), status=refusal.status)
        refused.headers.update(refusal.headers)
        return refused

    def _refusal(self, error: Exception, request: web.Request) -> Refusal:
        """What a fault is to the caller."""
        match error:
            case Refusal():
                return error
            case web.HTTPException():
                return _of_http(error, request)
            case Unavailable() | SchemaError():
                self._database_failed(error)
                return away("the database does not answer at the moment")
            case ConnectionError() | TimeoutError():
                return Refusal(408, "the request did not arrive in time", again=True)
        kind = type(error).__name__
        metrics.faults.labels("serve", kind).inc()
        _log.error("request_failed", path=request.path[:200], kind=kind, exc_info=error)
        return Refusal(500, "something went wrong here; the log of the server says what")

    def _database_failed(self, error: CdrdError) -> None:
        metrics.faults.labels("serve", type(error).__name__).inc()
        if not self._away:  # said once, however many are told to retry
            self._away = True
            _log.warning("database_away", error=str(error), hint=error.hint)

    def _database_answered(self) -> None:
        if self._away:
            self._away = False
            _log.info("database_back")


def _note(request: web.Request, dialect: Dialect, outcome: str, seconds: float) -> None:
    metrics.requests.labels(dialect.name, outcome).inc()
    metrics.request_seconds.labels(dialect.name).observe(seconds)
    _log.debug(
        "request_answered",
        method=request.method,
        path=request.path[:200],
        outcome=outcome,
        seconds=round(seconds, 4),
        client=request.remote,
    )


def _of_http(error: web.HTTPException, request: web.Request) -> Refusal:
    """What the HTTP library itself refuses: paths, methods, sizes."""
    match error:
        case web.HTTPNotFound():
            return Refusal(404, f"there is nothing at {request.path[:100]}")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            message = f"{error.method} is not allowed here; {allowed} is"
            return Refusal(405, message, headers={"Allow": allowed})
    return Refusal(error.status, error.reason or "the request cannot be answered")
