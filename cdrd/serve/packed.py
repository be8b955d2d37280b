"""The body of a request as it arrives: unpacked no further than it may be long, and known to be all of it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from aiohttp import web

from cdrd.serve.refusal import Refusal, bad_input

_STEP = 65536
"""How much is unpacked at once: what is packed small can't become large in memory."""
_GZIP, _ZLIB, _BARE = 31, 15, -15
"""What zlib calls the frame that the packed bytes stand in."""
_ZLIB_METHOD = 8


async def unpacked(request: web.Request, most: int) -> bytes:
    """The whole body, of at most so many bytes.

    One that ends too early is refused, as the library that reads the request would not do: whoever was
    told that it is taken would not send the rest.
    """
    unpacking = _Unpacking(request.headers.get("Content-Encoding", "").strip().lower())
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            for part in unpacking.fed(piece):
                body += part
                if len(body) > most:
                    raise too_large(most)
    except (zlib.error, web.RequestPayloadError) as error:
        raise bad_input("the body is not in the coding that its headers name") from error
    if not unpacking.is_whole:
        raise bad_input("the body ends before what is packed in it does")
    return bytes(body)


def too_large(most: int) -> Refusal:
    """The body is longer than it may be."""
    return Refusal(413, f"the body is too large; {most} bytes are allowed")


class _Unpacking:
    """Pieces of a body, unpacked one after another."""

    def __init__(self, coding: str) -> None:
        if coding not in {"", "identity", "gzip", "deflate"}:
            raise Refusal(415, "Content-Encoding: gzip and deflate are understood")
        self._is_packed = coding in {"gzip", "deflate"}
        self._is_gzip = coding == "gzip"
        self._stream: zlib._Decompress | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing more must come."""
        return self._stream is None or self._stream.eof

    def fed(self, piece: bytes) -> Iterator[bytes]:
        """What a piece holds. A file of gzip may have several parts, each whole in itself."""
        if not self._is_packed:
            yield piece
            return
        is_full = False
        while piece or is_full:
            if self._stream is None or self._stream.eof:
                self._stream = zlib.decompressobj(self._frame(piece))
            data = self._stream.decompress(piece, _STEP)
            yield data
            is_full = len(data) == _STEP and not self._stream.eof
            piece = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def _frame(self, piece: bytes) -> int:
        """Some who say deflate leave its frame out."""
        if self._is_gzip:
            return _GZIP
        return _ZLIB if piece[0] & 0xF == _ZLIB_METHOD else _BARE
