"""Files that are in a drop folder: which of them are complete, and which were never looked into."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from cdrd.collect.disk import DiskFile, look
from cdrd.collect.siblings import matching
from cdrd.errors import SourceUnavailable

_TEMPORARY = (".tmp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")
"""How the names end of files that somebody is still writing; such names may begin with a dot as well."""
_TORN_PATIENCE = 6
"""A file without a last newline must be quiet so many times as long: its delivery may have been cut off."""

Key = tuple[str, int, int]


class Arriving:
    """The files of a pattern, and for how long each has been as it is now."""

    def __init__(self, pattern: str, quiet: float) -> None:
        self._pattern = pattern
        self._quiet = quiet
        self._since: dict[Key, float] = {}
        self._put_aside: dict[Key, float] = {}
        """Until when nobody looks into a file that did not change."""
        self.waiting: list[DiskFile] = []
        """What is there and not known, complete or not."""

    def look(self, now: float, *, known: Callable[[DiskFile], bool]) -> list[DiskFile]:
        """Those that are complete and not known, the oldest first."""
        files = [file for file in _files(matching(self._pattern)) if file.size]
        keys = {file.key for file in files}
        self._since = {key: self._since.get(key, now) for key in keys}
        self._put_aside = {key: self._put_aside[key] for key in self._put_aside.keys() & keys}
        self.waiting = [file for file in files if not known(file)]
        complete = [
            file
            for file in self.waiting
            if now - self._since[file.key] >= self._quiet
            and now >= self._put_aside.get(file.key, now)
        ]
        return sorted(complete, key=lambda file: (file.mtime_ns, file.path))

    def put_aside(self, file: DiskFile, until: float = float("inf")) -> None:
        """Nobody looks into it until then, unless it changes."""
        self._put_aside[file.key] = until

    def may_be_cut(self, file: DiskFile, now: float) -> bool:
        """Whether a file that does not end with a newline may still be on its way; not if it was named."""
        return now - self._since.get(file.key, float("-inf")) < _TORN_PATIENCE * self._quiet


def _files(paths: Iterable[str]) -> Iterator[DiskFile]:
    for path in paths:
        name = os.path.basename(path)  # noqa: PTH119 - the text of the path is what counts
        if name.startswith(".") or name.endswith(_TEMPORARY):
            continue
        try:
            file = look(path)
        except (SourceUnavailable, PermissionError):  # a folder among them is no file
            continue
        if file is not None:
            yield file
