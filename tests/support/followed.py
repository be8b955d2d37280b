"""A follower with everything around it: files that a PBX writes, a store in memory, a clock that is set."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cdrd.collect.drops import DropFolder
from cdrd.collect.follow import Reading
from cdrd.collect.happened import Happened, What
from cdrd.collect.paths import SourceFiles
from cdrd.collect.tracks import Appetite, Taken
from cdrd.records import Chunk, DecodedChunk, FileId, FilePosition, Reason, Rejected

ROTATED = ("{path}.*", "{path}-*", "{stem}-[0-9]*{suffix}*")


def decode_lines(chunk: Chunk) -> DecodedChunk:
    """One line is one record; one that ends in the middle is torn, unless it ends with a dot."""
    whole, _, rest = chunk.data.rpartition(b"\n")
    lines = (whole + b"\n").splitlines(keepends=True) if whole or chunk.data[:1] == b"\n" else []
    rejected = []
    if chunk.final and rest.endswith(b"."):
        lines.append(rest)
    elif chunk.final and rest:
        place = chunk.offset + len(chunk.data) - len(rest)
        rejected = [Rejected(rest, chunk.line + len(lines), place, Reason.TORN, "torn")]
    rows, place = [], chunk.offset
    for number, line in enumerate(lines, chunk.line):
        rows.append(f"{number}\t{place}\t{line.rstrip(bytes([10])).decode('latin-1')}")
        place += len(line)
    consumed = len(chunk.data) if chunk.final else len(chunk.data) - len(rest)
    return DecodedChunk(rows, rejected, consumed, chunk.data[:consumed].count(b"\n"))


class Store:
    """What the database does with a batch, in memory: rows and position together, or nothing."""

    def __init__(self) -> None:
        self.positions: dict[FileId, FilePosition] = {}
        self.rows: list[str] = []
        self.rejected: list[Rejected] = []

    def append(self, taken: Taken) -> None:
        position, file_id = taken.position, taken.generation.file_id
        if file_id is None:
            file_id = FileId(len(self.positions) + 1)
        else:
            assert self.positions[file_id].offset == taken.start.offset
        self.positions[file_id] = replace(position, file_id=file_id)
        taken.generation.file_id = file_id
        self.rows += taken.decoded.rows
        self.rejected += taken.decoded.rejected

    @property
    def texts(self) -> Counter[str]:
        """The text of each stored record and how often it is stored."""
        return Counter(row.split("\t", 2)[2] for row in self.rows)

    @property
    def unread(self) -> int:
        return sum(position.unread_bytes for position in self.positions.values())


class InSteps:
    """What a source hands over is taken and stored piece by piece, and time passes as the test says."""

    files: SourceFiles | DropFolder

    def __init__(self, batch_bytes: int) -> None:
        self.store = Store()
        self.now = 1000.0
        self.told: list[Happened] = []
        self._reading = Reading(
            decode_lines,
            Appetite(batch_bytes, 65536),
            clock=lambda: datetime(2000, 1, 1, tzinfo=UTC),  # no file is old by its date
            stopwatch=lambda: self.now,
        )

    def resume(self) -> None:
        """The same process, after a fault of the database."""
        self.files.resume(sorted(self.store.positions.values(), key=lambda p: -(p.file_id or 0)))

    def take(self, seconds: float) -> Taken | None:
        """What there is so much later."""
        self.now += seconds
        taken = self.files.take()
        self.told += self.files.happened()
        return taken

    def heard(self, what: What) -> list[Happened]:
        return [fact for fact in self.told if fact.what is what]


class Followed(InSteps):
    """A source that is followed."""

    files: SourceFiles

    def __init__(self, path: Path | str, *, batch_bytes: int = 4096) -> None:
        super().__init__(batch_bytes)
        self.path = Path(path)
        self.start()

    def start(self) -> None:
        """A new process, which knows what is in the store."""
        self.files = SourceFiles(str(self.path), ROTATED, self._reading)
        self.resume()

    def restart(self) -> None:
        """Killed, and started again."""
        self.files.close()
        self.start()

    def take(self, seconds: float = 0.2) -> Taken | None:
        return super().take(seconds)

    def read(self) -> Counter[str]:
        """Reads and stores until nothing comes any more; returns all that is stored."""
        idle = 0
        while idle < 3:
            taken = self.take()
            idle = idle + 1 if taken is None else 0
            if taken is not None:
                self.store.append(taken)
        return self.store.texts

    def wait(self) -> Counter[str]:
        """Long enough for a quiet file to count as one that nobody writes to."""
        self.read()
        self.now += 10
        return self.read()


def texts(*names: str) -> Counter[str]:
    """What is expected to be stored."""
    return Counter(names)


def write(path: Path, data: str, *, mode: str = "a") -> None:
    """Opens, writes and closes, as Asterisk does for each record."""
    with path.open(mode) as file:
        file.write(data)
