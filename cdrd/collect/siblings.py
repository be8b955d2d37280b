"""The rotated files of a path, oldest first, and the paths that a pattern means."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from glob import escape, glob, has_magic

from cdrd.collect.compressed import is_compressed
from cdrd.collect.disk import DiskFile, look
from cdrd.errors import SourceUnavailable


class Siblings:
    """Where the rotated files of one path are."""

    def __init__(self, path: str, patterns: Iterable[str]) -> None:
        self._path = path
        stem, suffix = os.path.splitext(path)  # noqa: PTH122 - the text of the path is what counts
        named = {"{path}": path, "{stem}": stem, "{suffix}": suffix}
        self._patterns = tuple(_filled(pattern, named) for pattern in patterns)
        self._starts = tuple(_literal_start(pattern) for pattern in self._patterns)
        self._folders = sorted({os.path.dirname(pattern) for pattern in self._patterns})  # noqa: PTH120 - as above

    def include(self, path: str) -> bool:
        """Whether a path is one of a rotated file of this one."""
        return path != self._path and any(
            path.startswith(start) and _matches(path, pattern)
            for start, pattern in zip(self._starts, self._patterns, strict=True)
        )

    def files(self) -> list[DiskFile]:
        """Those that are there, the oldest first; of a plain and a compressed twin the plain one first."""
        paths = {path for pattern in self._patterns for path in _glob(pattern)} - {self._path}
        return sorted(_files(paths), key=lambda file: (file.mtime_ns, _order(file.path)))

    def folders(self) -> tuple[int, ...]:
        """Times that change when a file comes, goes or is renamed; -1 where only looking can tell."""
        return tuple(_changed(folder) for folder in self._folders)


def matching(path: str) -> list[str]:
    """The paths that a configured path means: itself, or all that match it as a pattern."""
    return sorted(_glob(path)) if has_magic(path) else [path]


def _glob(pattern: str) -> list[str]:
    return glob(pattern)  # noqa: PTH207 - patterns are whole paths as the operator wrote them


def _filled(pattern: str, named: dict[str, str]) -> str:
    for name, value in named.items():
        pattern = pattern.replace(name, escape(value))
    return pattern


def _literal_start(pattern: str) -> str:
    for index, letter in enumerate(pattern):
        if letter in "*?[":
            return pattern[:index]
    return pattern


def _matches(path: str, pattern: str) -> bool:
    folder, name = os.path.split(path)
    folders, names = os.path.split(pattern)
    return fnmatchcase(name, names) and fnmatchcase(folder, folders)


def _files(paths: Iterable[str]) -> Iterator[DiskFile]:
    for path in paths:
        try:
            file = look(path)
        except (SourceUnavailable, PermissionError):  # a folder among them is no rotated file
            continue
        if file is not None and file.size:
            yield file


def _order(path: str) -> tuple[bool, int, str]:
    """Plain before compressed, and of files rotated within one tick of the clock .2 before .1."""
    number = path.rpartition(".")[2]
    return (is_compressed(path), -int(number) if number.isdecimal() else 0, path)


def _changed(folder: str) -> int:
    if has_magic(folder):
        return -1
    try:
        return os.stat(folder or ".").st_mtime_ns  # noqa: PTH116 - part of the hot poll
    except OSError:
        return 0
