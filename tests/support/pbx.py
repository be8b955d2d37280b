"""A PBX as far as a collector sees it: it appends records to Master.csv and somebody rotates the file."""

from __future__ import annotations

import gzip
import random
import shutil
import threading
from pathlib import Path


def record(number: int, *, name: str = "Alice") -> bytes:
    """One record of cdr_csv with 18 columns, told apart from all others by its uniqueid."""
    epoch = 1795285487 + number // 10
    return (
        f'"acme","101","102","acme-internal","""{name}"" <101>","PJSIP/acme-101-{number:08x}",'
        f'"PJSIP/acme-102-{number:08x}","Dial","PJSIP/acme-102,4,tTkK","2026-11-21 18:24:47",'
        f'"2026-11-21 18:24:47","2026-11-21 18:24:48",1,1,"ANSWERED","DOCUMENTATION",'
        f'"{epoch}.{number}",""\n'
    ).encode()


def number_of(uniqueid: str) -> int:
    """The number of the record with that uniqueid."""
    return int(uniqueid.rpartition(".")[2])


class Pbx:
    """Writes numbered records and rotates; `written` is the plain list that cdrd is compared with."""

    def __init__(self, path: Path, first: int = 0) -> None:
        """`first` is the number of its first record, where there are others that number theirs."""
        self.path = path
        self.first = first
        self.written = 0
        self._rotations = 0

    @property
    def numbers(self) -> range:
        """Of all that it has written."""
        return range(self.first, self.first + self.written)

    def append(self, count: int = 1) -> None:
        """Opens, appends and closes for each record, as Asterisk does."""
        for _ in range(count):
            with self.path.open("ab") as file:
                file.write(record(self.first + self.written))
            self.written += 1

    def append_at_once(self, count: int) -> None:
        """A backlog."""
        with self.path.open("ab") as file:
            begin = self.first + self.written
            file.write(b"".join(record(n) for n in range(begin, begin + count)))
        self.written += count

    def _next_name(self) -> Path:
        self._rotations += 1
        return self.path.with_name(f"{self.path.name}.{self._rotations}")

    def rotate_by_rename(self) -> Path:
        """As logrotate does by default."""
        rotated = self._next_name()
        if self.path.exists():
            self.path.rename(rotated)
        return rotated

    def rotate_by_copy(self) -> Path:
        """As logrotate does with copytruncate."""
        rotated = self._next_name()
        if self.path.exists():
            shutil.copyfile(self.path, rotated)
            with self.path.open("r+b") as file:
                file.truncate(0)
        return rotated

    def compress(self, rotated: Path) -> None:
        """As logrotate does with compress: the new file first, then the old one goes."""
        if not rotated.exists():
            return
        packed = rotated.with_name(rotated.name + ".gz")
        with rotated.open("rb") as source, gzip.open(packed, "wb") as target:
            shutil.copyfileobj(source, target)
        rotated.unlink()


class BusyPbx(threading.Thread):
    """Writes and rotates all the time, by every method, from a seeded schedule."""

    def __init__(self, pbx: Pbx, chance: random.Random) -> None:
        super().__init__()
        self.pbx, self.chance = pbx, chance
        self.finished = threading.Event()

    def run(self) -> None:
        while not self.finished.wait(self.chance.uniform(0, 0.1)):
            self.pbx.append(self.chance.randrange(1, 10))
            action = self.chance.random()
            if action < 0.02:
                self.pbx.rotate_by_copy()
            elif action < 0.04:
                self.pbx.compress(self.pbx.rotate_by_rename())
            elif action < 0.06:
                self.pbx.rotate_by_rename()
