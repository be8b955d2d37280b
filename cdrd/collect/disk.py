"""Files as the disk shows them: who they are to the system, how long, and their bytes."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import NamedTuple, Self

from cdrd.errors import SourceUnavailable
from cdrd.records import FilePosition


class DiskFile(NamedTuple):
    """A regular file at one moment. Two equal ones have the same content."""

    path: str
    physical: str
    """`device:inode`."""
    size: int
    mtime_ns: int
    links: int = 1
    """0 once no path leads to it any more."""

    @property
    def key(self) -> tuple[str, int, int]:
        """What changes when the content does."""
        return (self.physical, self.size, self.mtime_ns)

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> Self:
        """A path and what the system says of it."""
        return cls(
            path,
            f"{status.st_dev}:{status.st_ino}",
            status.st_size,
            status.st_mtime_ns,
            status.st_nlink,
        )


def seen(position: FilePosition, file: DiskFile) -> FilePosition:
    """The position, as of a file that was read to its end when it was this."""
    return replace(
        position,
        path=file.path,
        physical=file.physical,
        seen_size=file.size,
        seen_mtime_ns=file.mtime_ns,
    )


def look(path: str) -> DiskFile | None:
    """The file at a path, or None where there is none; SourceUnavailable for what is no file."""
    try:
        status = os.stat(path)  # noqa: PTH116 - the hot poll: a Path per call costs more than the call
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise SourceUnavailable(f"{path} is no file")
    return DiskFile.of(path, status)


class PlainContent:
    """A file that is read as it is. It stays readable when it is renamed or removed."""

    def __init__(self, path: str) -> None:
        self.path = path
        """Where it was last seen."""
        # O_NONBLOCK: should the path have become a pipe meanwhile, opening it must not wait
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.opened = self.status()
        """The file as it was when it was opened."""

    def status(self) -> DiskFile:
        """The file that is open, as it is now."""
        return DiskFile.of(self.path, os.fstat(self._descriptor))

    def read(self, offset: int, count: int) -> bytes:
        """Bytes from an offset on; fewer than asked for at the end of what is there."""
        return os.pread(self._descriptor, count, offset)

    def length(self) -> int:
        """How many bytes there are now."""
        return os.fstat(self._descriptor).st_size

    def is_whole(self) -> bool:
        """Always: nothing in a plain file says where it ends."""
        return True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
