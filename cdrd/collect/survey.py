"""What lies beside a followed path: its rotated files, which of them must be looked into, and since when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cdrd.clock import Clock
from cdrd.collect.disk import DiskFile
from cdrd.collect.generations import Generation
from cdrd.collect.siblings import Siblings

GRACE = 3.0
"""Seconds a file must be quiet before it counts as one that nobody writes to any more."""
_OLD = 60.0
"""A file not modified for so many seconds counts as quiet at once (clocks of file servers differ)."""
_AGAIN = 0.1
"""Seconds between two surveys while something is moving."""
_EVERY = 5.0
"""Seconds between two surveys in any case: who writes to an old file changes no folder."""

Key = tuple[str, int, int]


class Survey:
    """The rotated files of one path, as they were last seen."""

    def __init__(self, siblings: Siblings, clock: Clock) -> None:
        self._siblings = siblings
        self._clock = clock
        self.files: dict[str, DiskFile] = {}
        """By inode."""
        self._physicals: set[str] = set()
        self.pending: deque[DiskFile] = deque()
        """To be looked into, the oldest first."""
        self.waiting = False
        """Whether a file was looked into that can't be told yet."""
        self.unreadable = False
        """Whether a file could not be looked into at all."""
        self._undecided: set[Key] = set()
        """Those files, while they stay as they are."""
        self._judged: set[Key] = set()
        """Files with nothing to read in them, while they stay as they are."""
        self.copies: dict[Key, Generation] = {}
        """Files that were seen to be how a generation begins, while they stay as they are."""
        self._seen_since: dict[Key, float] = {}
        self._folders: tuple[int, ...] = ()
        self._folders_since = 0.0
        self._at = 0.0
        self._wanted = True

    def want(self, *, anew: bool = False) -> None:
        """Look again, next time; `anew` also at the files that were found to hold nothing to read."""
        self._wanted = True
        if anew:
            self._judged.clear()

    def due(self, now: float) -> bool:
        """Whether it is time to look: something changed, or may have."""
        folders = self._siblings.folders()
        if folders != self._folders:
            self._folders, self._folders_since = folders, now
            return True
        if self._wanted or self._at < self._folders_since + _AGAIN <= now:
            return True  # once more after a change: a folder can change twice within a tick of its time
        blind = self.waiting or -1 in folders
        return now - self._at >= (_AGAIN if blind else _EVERY)

    def look(self, now: float, *, path: DiskFile | None, known: Callable[[DiskFile], bool]) -> None:
        """Lists the files; those that are `known` or judged are not pending."""
        self._wanted, self.waiting, self.unreadable, self._at = False, False, False, now
        self.files = {}
        for file in self._siblings.files():
            if path is None or file.physical != path.physical:
                self.files.setdefault(file.physical, file)
        present = [*self.files.values(), *filter(None, [path])]
        self._forget_absent({file.physical for file in present}, {file.key for file in present})
        self._seen_since = {file.key: self._seen_since.get(file.key, now) for file in present}
        self.pending = deque(
            file for file in self.files.values() if file.key not in self._judged and not known(file)
        )

    def _forget_absent(self, physicals: set[str], keys: set[Key]) -> None:
        if self._physicals - physicals:
            self._judged.clear()  # what was put aside may have been a copy of what is gone
        self._physicals = physicals
        self._judged &= keys
        self._undecided &= keys
        self.copies = {key: self.copies[key] for key in self.copies.keys() & keys}

    def put_aside(self, file: DiskFile, *, copy_of: Generation | None = None) -> None:
        """There is nothing to read in a file, unless it changes."""
        self._judged.add(file.key)
        if copy_of is not None:
            self.copies[file.key] = copy_of

    def leave_undecided(self, file: DiskFile) -> None:
        """A file can't be told yet: it is looked into again and again."""
        self._undecided.add(file.key)
        self.waiting = True

    def leave_unreadable(self, file: DiskFile) -> None:
        """A file can't be read: it is tried again every now and then."""
        self._undecided.add(file.key)
        self.unreadable = True

    @property
    def unknown(self) -> bool:
        """Whether there is a file that was never looked into."""
        return any(file.key not in self._undecided for file in self.pending)

    def is_put_aside(self, file: DiskFile) -> bool:
        """Whether there is nothing to read in a file."""
        return file.key in self._judged

    def settled(self, file: DiskFile, now: float) -> bool:
        """Whether nobody seems to write to a file any more."""
        age = self._clock().timestamp() - file.mtime_ns / 1e9
        return age >= _OLD or now - self._seen_since.setdefault(file.key, now) >= GRACE
