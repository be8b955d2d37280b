"""Rotated files that were compressed: .gz, .bz2, .xz and .zst, read by the offsets of their content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable
from pathlib import PurePath
from typing import BinaryIO, Protocol

import zstandard

from cdrd.collect.disk import DiskFile, PlainContent

_STEP = 256 * 1024
"""How much is decompressed at once."""
_LEAST_FED, _MOST_FED = 64, 65536
"""How much compressed zstd is fed at once; there is no other bound for what comes out."""
_KEPT = 1024
"""How much of the end is at hand after the length was asked for."""
_BROKEN = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What the decompressors raise for a file that is not whole (yet) or damaged."""


class _Stream(Protocol):
    def read1(self, count: int = -1, /) -> bytes:
        """Some bytes more, none at the end; an exception where the file stops too early."""


class _ZstdStream:
    """zstandard's own reader ends in silence where a file is not whole; this one says so."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._fed = _LEAST_FED
        self._between = True
        """Whether a frame has ended and no other has begun."""

    def read1(self, _count: int = -1, /) -> bytes:
        """Some bytes more, whatever comes out of the next piece of the file."""
        while True:
            piece = self._left() or self._file.read(self._fed)
            if not piece:
                if not self._between:
                    raise EOFError
                return b""
            data = self._frame.decompress(piece)
            self._between = self._frame.eof
            if data:
                wanted = self._fed * _STEP // len(data)
                self._fed = max(_LEAST_FED, min(wanted, 2 * self._fed, _MOST_FED))
                return data

    def _left(self) -> bytes:
        if not self._frame.eof:
            return b""
        left = self._frame.unused_data
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        return left


_STREAMS: dict[str, Callable[[BinaryIO], _Stream]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _ZstdStream,
}


def is_compressed(path: str) -> bool:
    """Whether a path says that its file is compressed."""
    return PurePath(path).suffix in _STREAMS


class CompressedContent:
    """A compressed file by the offsets of its content: forward it streams, backward it begins again."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._open = _STREAMS[PurePath(path).suffix]
        self._file = open(path, "rb")  # noqa: SIM115, PTH123 - it lives until close()
        self.opened = self.status()
        """The file as it was when it was opened: what is appended later is not read."""
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._stream = self._open(self._file)
        self._piece = bytearray()
        self._start = 0
        """Offset of the content that `_piece` begins with."""
        self._ended = False
        self._whole = False

    def status(self) -> DiskFile:
        """The file that is open, as it is now."""
        return DiskFile.of(self.path, os.fstat(self._file.fileno()))

    def read(self, offset: int, count: int) -> bytes:
        """Bytes from an offset of the content on; fewer at its end, or where the file is cut."""
        if offset < self._start:
            self._begin()
        while not self._ended and self._start + len(self._piece) < offset + count:
            self._more(offset)
        return bytes(self._piece[offset - self._start : offset - self._start + count])

    def _more(self, offset: int) -> None:
        """Decompresses a step further, and forgets what is before the offset."""
        try:
            data = self._stream.read1(_STEP)
        except _BROKEN as error:
            if getattr(error, "errno", None):  # the disk's trouble, not the file's
                raise
            self._ended = True
            return
        if not data:
            self._ended, self._whole = True, self.opened.size > 0
            return
        surplus = min(offset - self._start, len(self._piece))
        if surplus > 0:
            del self._piece[:surplus]
            self._start += surplus
        self._piece += data

    def length(self) -> int:
        """How long the content is, as far as it can be read; reads all of it."""
        while not self._ended:
            self._more(self._start + len(self._piece) - _KEPT)
        return self._start + len(self._piece)

    def is_whole(self) -> bool:
        """Whether it ends as a compressed file must; reads all of it."""
        self.length()
        return self._whole

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


OpenContent = PlainContent | CompressedContent


def open_content(path: str) -> OpenContent:
    """Opens a file by what its name says it is; None of it is read yet."""
    return CompressedContent(path) if is_compressed(path) else PlainContent(path)
