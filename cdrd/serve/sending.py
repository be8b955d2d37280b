"""Answers on their way: compressed where asked for, streamed where long, broken off rather than cut short."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from aiohttp.web import ContentCoding

from cdrd.errors import CdrdError

SECONDS = 60.0
"""A reader that takes nothing for so long is given up."""
_PIECE = 65_536
"""Bytes that are handed to a connection at once; how many more are taken is the reader's pace."""
_WORTH_IT = 1024
"""A body smaller than this is not compressed."""

_CODINGS = {"gzip": ContentCoding.gzip, "deflate": ContentCoding.deflate}


class BrokenOff(Exception):
    """The answer could not be finished; its connection was reset so that nobody takes half for the whole."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__(type(self).__doc__)
        self.response = response


def accepted_coding(header: str) -> ContentCoding | None:
    """The coding that an Accept-Encoding header likes best of those we have; None is plain."""
    best: tuple[float, str] | None = None
    for part in header.lower().split(","):
        name, _, parameter = part.partition(";")
        quality = _quality(parameter.strip())
        name = "gzip" if name.strip() in {"*", "x-gzip"} else name.strip()
        if name in _CODINGS and quality > 0 and (best is None or quality > best[0]):
            best = (quality, name)
    return None if best is None else _CODINGS[best[1]]


def _quality(parameter: str) -> float:
    if not parameter.startswith("q="):
        return 1.0
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0


def json_answer(data: dict[str, Any], *, status: int = 200) -> web.Response:
    """A small JSON body."""
    return web.Response(
        body=json.dumps(data).encode(),
        status=status,
        content_type="application/json",
    )


def compress(request: web.Request, response: web.StreamResponse, *, size: int | None) -> None:
    """Compresses if the reader asked for it and it is worth it; `size` is None for a stream."""
    response.headers["Vary"] = "Accept-Encoding"
    coding = accepted_coding(request.headers.get("Accept-Encoding", ""))
    if coding is not None and (size is None or size >= _WORTH_IT):
        response.enable_compression(coding)


async def send(request: web.Request, response: web.StreamResponse) -> None:
    """Sends a whole answer; gives up on a reader that does not take it."""
    try:
        async with asyncio.timeout(SECONDS):
            await response.prepare(request)
            await response.write_eof()
    except (TimeoutError, ConnectionError) as error:
        reset(request)
        raise BrokenOff(response) from error


async def stream(
    request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]
) -> None:
    """Sends an answer chunk by chunk; when the chunks fail the connection is reset.

    The next chunk is asked for only when the reader has taken the one before it.
    """
    whole = False
    try:
        await _write(request, response, chunks)
        whole = True
    except (CdrdError, TimeoutError, ConnectionError) as error:
        raise BrokenOff(response) from error
    finally:
        if not whole:
            reset(request)


async def _write(
    request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]
) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(SECONDS) as patience:
        await response.prepare(request)
        async for chunk in chunks:
            for start in range(0, len(chunk), _PIECE):
                patience.reschedule(loop.time() + SECONDS)
                await response.write(chunk[start : start + _PIECE])
            patience.reschedule(None)  # the database has a deadline of its own
        patience.reschedule(loop.time() + SECONDS)
        await response.write_eof()


def reset(request: web.Request) -> None:
    """Ends the connection with RST: to a reader that waits for the end of the answer this is no end."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
