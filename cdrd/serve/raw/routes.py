"""The paths of the raw CDR dialect: read, log in, log out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from aiohttp import web

from cdrd import metrics
from cdrd.owners import Permission, Principal
from cdrd.records import AcctId
from cdrd.serve.access import DATABASE_SECONDS, require
from cdrd.serve.credentials import (
    SESSION_COOKIE,
    Password,
    Session,
    from_another_site,
    in_headers,
)
from cdrd.serve.dialect import Dialect
from cdrd.serve.door import Door
from cdrd.serve.raw import envelope
from cdrd.serve.raw.request import ReadRequest, login_request, read_request, scope_of_query
from cdrd.serve.refusal import bad_input, forbidden
from cdrd.serve.sending import compress, json_answer, stream
from cdrd.settings import ServeSettings
from cdrd.store.calls import settled_horizon
from cdrd.store.database import Database, in_time
from cdrd.store.feed import (
    SLICE,
    Page,
    Scope,
    changes,
    changes_and_news,
    horizon,
    newest,
    raw_pages,
)
from cdrd.store.legs import ENRICH

_READERS = frozenset({Permission.SYSTEM_ADMIN, Permission.BILLING_CALL_SUMMARY})
"""Either of these permissions reads raw CDRs."""
_LONG = 1 << 20
"""Bytes of an answer that are handed to the connection at once."""


class RawCdrs:
    """What the dialect answers."""

    def __init__(self, settings: ServeSettings, database: Database, door: Door) -> None:
        self._settings = settings
        self._database = database
        self._door = door

    def dialect(self) -> Dialect:
        """Its paths, and its envelope."""
        return Dialect(
            name="raw",
            prefix="/rest",
            routes=[
                web.get("/rest/call/read", self._read),
                web.post("/rest/call/read", self._read),
                web.post("/rest/auth", self._login),
                web.post("/rest/auth/", self._login),
                web.post("/rest/auth/logout", self._logout),
            ],
            envelope=envelope.failure,
        )

    async def _read(self, request: web.Request) -> web.StreamResponse:
        asked = await self._asked(request)
        principal = await self._door.principal(request, asked.password)
        require(principal, _READERS)
        scope = Scope(
            first=asked.first or AcctId(0),
            upto=await self._upto(asked, principal),
            most=asked.most,
            min_date=asked.min_date,
            max_date=asked.max_date,
        )
        with self._door.reading(principal):
            if asked.since is not None:
                read = changes if asked.first is None else changes_and_news
                async with self._door.turn():
                    told = await read(self._database, principal, since=asked.since, scope=scope)
                metrics.served_undecided.inc(told.undecided)
                return await _whole(request, envelope.changed(asked, told))
            async with aclosing(raw_pages(self._database, principal, scope)) as pages:
                return await _answer(request, asked, self._door.in_turn(pages))

    async def _asked(self, request: web.Request) -> ReadRequest:
        if request.method != "POST":
            data = scope_of_query(request.query.items())
        elif request.query_string:
            raise bad_input("the scope of a POST is in its body, not in the query")
        else:
            data = await self._door.body(request)
        return read_request(
            data, default_rows=self._settings.default_rows, max_rows=self._settings.max_rows
        )

    @in_time(DATABASE_SECONDS)
    async def _upto(self, asked: ReadRequest, principal: Principal) -> AcctId:
        """The horizon, fixed once for the whole page and read before it.

        Everything up to it is committed, so whatever the page reads later, it misses nothing below.
        A principal that sees only some companies sees nothing of a leg that is not decided yet, and
        its poller would go past it: for it the horizon has no deadline.
        """
        if asked.settled:
            return await settled_horizon(self._database)
        if principal.companies is not None:
            if asked.raw:
                raise forbidden(
                    "scope.raw: you see the legs of your companies, and whose a leg is"
                    " is not known before it is decided"
                )
            return await horizon(self._database, ENRICH, deadline=None)
        if asked.raw:
            return await newest(self._database)
        return await horizon(self._database, ENRICH, deadline=self._settings.deadline)

    async def _login(self, request: web.Request) -> web.StreamResponse:
        _refuse_other_sites(request)
        given = login_request(await self._door.body(request))
        if given is None:
            in_header = in_headers(request.headers, {})
            given = in_header if isinstance(in_header, Password) else None
        if given is None:
            raise bad_input("auth: is missing; an object with username and password is allowed")
        principal = await self._door.principal(request, given)
        value, number = await self._door.access.begin_session(principal)
        response = json_answer({"result": "success", "user": envelope.user(principal, number)})
        response.set_cookie(
            SESSION_COOKIE,
            value,
            max_age=int(self._door.access.session_life.total_seconds()),
            httponly=True,
            samesite="Strict",
            secure=self._door.secure(request),
        )
        return response

    async def _logout(self, request: web.Request) -> web.StreamResponse:
        _refuse_other_sites(request)
        value = request.cookies.get(SESSION_COOKIE)
        if value:
            await self._door.access.end_session(Session(value))
        response = json_answer({"result": "success"})
        response.del_cookie(SESSION_COOKIE, httponly=True, samesite="Strict")
        return response


def _refuse_other_sites(request: web.Request) -> None:
    """Nobody is logged in or out by a page of somebody else's."""
    if from_another_site(request.headers):
        raise forbidden("a browser asks this for a page of another site")


async def _answer(
    request: web.Request, asked: ReadRequest, pages: AsyncIterator[Page]
) -> web.StreamResponse:
    """A page of usual length at once; a longer one streamed."""
    pages = _counted(pages, waited=not asked.raw)
    here: list[Page] = []
    rows = 0
    async for page in pages:
        here.append(page)
        rows += page.count
        if SLICE <= rows < asked.most:
            return await _streamed(request, envelope.parts(asked, here, pages))
    return await _whole(request, envelope.whole(asked, here))


async def _whole(request: web.Request, body: bytes) -> web.StreamResponse:
    """All of it is here; a long one still goes out at the pace of its reader."""
    if len(body) > _LONG:
        return await _streamed(request, _in_one(body))
    response = web.Response(body=body, content_type="application/json")
    compress(request, response, size=len(body))
    return response


async def _in_one(body: bytes) -> AsyncIterator[bytes]:
    yield body


async def _streamed(request: web.Request, parts: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_type = "application/json"
    compress(request, response, size=None)
    if request.method != "HEAD":
        await stream(request, response, parts)
    return response


async def _counted(pages: AsyncIterator[Page], *, waited: bool) -> AsyncIterator[Page]:
    """Tells the metrics of legs that were served undecided though the reader wanted them decided."""
    async for page in pages:
        if waited and page.undecided:
            metrics.served_undecided.inc(page.undecided)
        yield page
