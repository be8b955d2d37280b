"""PBXs push their records: `POST /push/SOURCE`, in the source's own format, answered once they are stored.

| status | `result` | meaning |
|---|---|---|
| 200 | success | every record is a leg, an event, a duplicate or in suspense; the counts say so |
| 400, 401, 403, 404, 405, 413, 415 | fail | nothing was stored, and `message` says why |
| 408, 429, 503 | retry | send the same again, after the seconds of `Retry-After` |

Credentials are those of every dialect, or a `token` in the query for a PBX that can send no header.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from cdrd.errors import NotFound, SourceUnavailable
from cdrd.owners import Permission, Principal
from cdrd.records import Push, Receipt
from cdrd.serve.credentials import Bearer, Credentials, in_headers
from cdrd.serve.dialect import Dialect
from cdrd.serve.door import Door
from cdrd.serve.refusal import Refusal, away, bad_input, forbidden
from cdrd.serve.sending import json_answer
from cdrd.settings import ServeSettings

Receive = Callable[[str, Push], Awaitable[Receipt]]
"""Stores a push to a source. Raises NotFound where there is no such source, Unavailable to be asked again."""

_LONGEST_KEY = 255


class Pushes:
    """What the dialect answers."""

    def __init__(self, settings: ServeSettings, door: Door, receive: Receive) -> None:
        self._most = settings.max_push
        self._door = door
        self._receive = receive

    def dialect(self) -> Dialect:
        """Its path, and its envelope."""
        return Dialect(
            name="push",
            prefix="/push",
            routes=[web.post("/push/{source}", self._push)],
            envelope=failure,
        )

    async def _push(self, request: web.Request) -> web.StreamResponse:
        source = request.match_info["source"]
        principal = await self._door.principal(request, _credentials(request))
        require_push(principal, source)
        key = _key(request)
        async with self._door.pushing(principal):
            body = await self._door.content(request, most=self._most)
            if not body.strip():
                raise bad_input("the body is empty; records are expected")
            push = Push(body, request.headers.get("Content-Type", ""), key)
            try:
                async with self._door.turn():
                    receipt = await self._receive(source, push)
            except NotFound as error:
                raise Refusal(404, f"there is no source {source[:63]} to push to") from error
            except SourceUnavailable as error:
                raise away(str(error)) from error
        return json_answer(success(receipt))


def success(receipt: Receipt) -> dict[str, Any]:
    """Every record is accounted for."""
    return {"result": "success", "records": receipt.records, **receipt._asdict()}


def failure(refusal: Refusal) -> dict[str, Any]:
    """`retry` is for what may be sent again as it is, `fail` for what would be refused again."""
    return {"result": "retry" if refusal.again else "fail", "message": refusal.message}


def require_push(principal: Principal, source: str) -> None:
    """The same words whether there is no such source or it is somebody else's."""
    if Permission.CDR_PUSH not in principal.permissions or source not in principal.sources:
        raise forbidden(f"this needs the permission `{Permission.CDR_PUSH.value}` for this source")


def _credentials(request: web.Request) -> Credentials | None:
    """Those of the headers, or else the token of the query."""
    given = in_headers(request.headers, request.cookies)
    token = request.query.get("token")
    return Bearer(token) if given is None and token else given


def _key(request: web.Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if len(key) > _LONGEST_KEY or not key.isprintable():
        raise bad_input(f"Idempotency-Key: up to {_LONGEST_KEY} printable characters are allowed")
    return key
