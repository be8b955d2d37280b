"""Folders of a pattern that nobody lets us look into: a pattern matches nothing in them, without a word."""

from __future__ import annotations

import os
from glob import has_magic

from cdrd.collect.happened import Happened, What
from cdrd.collect.siblings import matching


class Forbidden:
    """Those of one pattern; a path that is none has none, as whoever opens it is told."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.folders: frozenset[str] = frozenset()

    def look(self) -> list[Happened]:
        """What is to be told since this was last asked."""
        found = _forbidden(self._pattern)
        told = [
            Happened(What.FILE_UNREADABLE, folder, {"error": why})
            for folder, why in found.items()
            if folder not in self.folders
        ]
        told += [Happened(What.FILE_READABLE, folder, {}) for folder in self.folders - found.keys()]
        self.folders = frozenset(found)
        return told


def _forbidden(pattern: str) -> dict[str, str]:
    """Each folder, and why; also those above it, where they are a pattern, too."""
    if not has_magic(pattern):
        return {}
    above = os.path.dirname(pattern)  # noqa: PTH120 - the text of the path is what counts
    found = _forbidden(above)
    for folder in matching(above or "."):
        try:
            os.scandir(folder).close()
            os.stat(os.path.join(folder, "."))  # noqa: PTH116, PTH118 - as above
        except PermissionError as error:
            found[folder] = str(error)
        except OSError:  # it is not there, or no folder
            continue
    return found
