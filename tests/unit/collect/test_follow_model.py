"""Whatever happens to the files and to the process: what is stored is what was written.

Random actions of a PBX, of its rotation and of the system run against the follower and against a list.
Where bytes are destroyed before they could be read, by truncating or removing without a copy, the list
says which; what the follower has seen of them must be counted, and nothing else may be missing.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.followed import Followed

from cdrd.collect.happened import What

SIZES = st.integers(min_value=0, max_value=400)


class FollowedFiles(RuleBasedStateMachine):
    """One path, its rotated files, and a follower that is read, killed, restarted and let down."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "Master.csv"
        self.aside = self.folder / "aside"
        self.followed = Followed(self.path, batch_bytes=1024)
        self.written: list[str] = []
        """Every record written whole, in order."""
        self.doubtful: set[str] = set()
        """Those that were destroyed while they might not have been read."""
        self.torn = ""
        """The beginning of a record that is written in pieces."""
        self.rotations = 0

    def teardown(self) -> None:
        try:
            self.settle()
            self.check()
        finally:
            self.followed.files.close()
            shutil.rmtree(self.folder)

    # What the PBX does

    def record(self, size: int) -> str:
        record = f"{len(self.written)}:{'x' * size}."
        self.written.append(record)
        return record

    def append(self, text: str) -> None:
        with self.path.open("a") as file:
            file.write(text)

    @precondition(lambda self: not self.torn)
    @rule(sizes=st.lists(SIZES, min_size=1, max_size=6))
    def write_records(self, sizes: list[int]) -> None:
        self.append("".join(f"{self.record(size)}\n" for size in sizes))

    @precondition(lambda self: not self.torn)
    @rule(size=SIZES)
    def write_the_same_record_twice(self, size: int) -> None:
        record = self.record(size)
        self.written.append(record)
        self.append(f"{record}\n{record}\n")

    @precondition(lambda self: not self.torn)
    @rule(size=SIZES, data=st.data())
    def begin_a_record(self, size: int, data: st.DataObject) -> None:
        record = f"{self.record(size)}\n"
        cut = data.draw(st.integers(min_value=1, max_value=len(record) - 1))
        self.append(record[:cut])
        self.torn = record[cut:]

    @precondition(lambda self: self.torn)
    @rule()
    def finish_the_record(self) -> None:
        self.append(self.torn)
        self.torn = ""

    # What rotation does

    def rotated(self, suffix: str = "") -> Path:
        self.rotations += 1
        return self.folder / f"Master.csv-{self.rotations:04}{suffix}"

    def exists(self) -> bool:
        return self.path.exists()

    @precondition(lambda self: self.exists() and not self.torn)
    @rule()
    def rotate_by_rename(self) -> None:
        self.path.rename(self.rotated())

    @precondition(lambda self: self.exists() and self.torn)
    @rule()
    def rotate_by_rename_within_a_record(self) -> None:
        """The PBX has the file open and ends the record in the renamed file."""
        target = self.rotated()
        with self.path.open("a") as file:
            self.path.rename(target)
            self.followed.read()
            file.write(self.torn)
        self.torn = ""

    @precondition(lambda self: self.exists() and not self.torn)
    @rule()
    def rotate_by_rename_and_compress(self) -> None:
        target = self.rotated(".gz")
        with gzip.open(target, "wb") as file:
            file.write(self.path.read_bytes())
        self.path.unlink()

    @precondition(lambda self: self.exists() and not self.torn)
    @rule(looked_at=st.booleans())
    def rotate_by_copy(self, looked_at: bool) -> None:
        data = self.path.read_bytes()
        target = self.rotated()
        with target.open("wb") as file:
            for half in (data[: len(data) // 2], data[len(data) // 2 :]):
                file.write(half)
                file.flush()
                if looked_at:
                    self.followed.read()
        with self.path.open("r+b") as file:
            file.truncate()

    @rule(data=st.data())
    def compress_a_rotated_file(self, data: st.DataObject) -> None:
        plain = sorted(path for path in self.folder.glob("Master.csv-*") if path.suffix != ".gz")
        if plain:
            path = data.draw(st.sampled_from(plain))
            whole = gzip.compress(path.read_bytes())
            target = path.with_name(f"{path.name}.gz")
            target.write_bytes(whole[: len(whole) // 2])
            self.followed.read()
            target.write_bytes(whole)
            path.unlink()

    # What else happens to files

    @precondition(lambda self: self.exists())
    @rule()
    def truncate(self) -> None:
        self.destroy()
        with self.path.open("r+b") as file:
            file.truncate()

    @precondition(lambda self: self.exists())
    @rule()
    def remove(self) -> None:
        self.destroy()
        self.path.unlink()

    def destroy(self) -> None:
        self.doubtful |= {line for line in self.path.read_text().splitlines() if line}
        if self.torn:
            self.doubtful.add(self.written[-1])
            self.torn = ""

    @precondition(lambda self: not self.exists())
    @rule()
    def touch(self) -> None:
        self.path.touch()

    @precondition(lambda self: self.exists() and not self.torn and not self.aside.exists())
    @rule(copied=st.booleans())
    def vanish(self, copied: bool) -> None:
        if copied:
            shutil.copy(self.path, self.aside)
            self.path.unlink()
        else:
            self.path.rename(self.aside)
        self.followed.read()
        self.aside.rename(self.path)
        if (
            copied
        ):  # else its old inode could become that of its next copy, and nothing could tell them
            self.followed.read()

    # What the process does

    @rule()
    def read(self) -> None:
        self.followed.read()

    @rule()
    def wait(self) -> None:
        self.followed.wait()

    @rule()
    def read_a_little(self) -> None:
        taken = self.followed.take()
        if taken is not None:
            self.followed.store.append(taken)

    @rule(pieces=st.integers(min_value=0, max_value=3))
    def kill(self, pieces: int) -> None:
        for _ in range(pieces):
            self.followed.take()
        self.followed.restart()

    @rule(
        pieces=st.integers(min_value=0, max_value=3), stored=st.integers(min_value=0, max_value=3)
    )
    def lose_the_database(self, pieces: int, stored: int) -> None:
        """What was taken last is not stored, or is, but the answer got lost."""
        for number in range(pieces):
            taken = self.followed.take()
            if taken is not None and number < stored:
                known_as = taken.generation.file_id
                self.followed.store.append(taken)
                if number == stored - 1:
                    taken.generation.file_id = known_as
                    break
        self.followed.resume()

    # What must hold

    def settle(self) -> None:
        if self.torn:
            self.finish_the_record()
        for _ in range(3):
            self.followed.wait()

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        surplus = self.followed.store.texts - Counter(self.written)
        pieces = {text for text in surplus if text not in self.written}
        assert not surplus - Counter(pieces)

    def check(self) -> None:
        note("\n".join(map(str, self.followed.told)))
        lost = Counter(self.written) - self.followed.store.texts
        note(f"lost: {sorted(text[:9] for text in lost)}")
        assert set(lost) <= self.doubtful
        assert self.followed.store.texts.keys() <= set(self.written)
        if not self.doubtful:
            assert self.followed.store.unread == 0
            assert not self.followed.heard(What.BYTES_UNREAD)
        rejected = {record.raw.decode() for record in self.followed.store.rejected}
        assert all(any(whole.startswith(raw) for whole in self.doubtful) for raw in rejected)


TestFollowedFiles = FollowedFiles.TestCase
TestFollowedFiles.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
