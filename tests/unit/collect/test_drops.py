"""Whole files in a drop folder: each is read once, and what may be a duplicate is held."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.followed import InSteps, decode_lines, texts

from cdrd.collect.compressed import OpenContent
from cdrd.collect.drops import DropFolder, Opened
from cdrd.collect.happened import What
from cdrd.collect.identity import TAIL_BYTES
from cdrd.collect.tracks import Taken
from cdrd.errors import SourceUnavailable
from cdrd.records import FileState

LINES = [f"record {number} of a long day with very many calls\n" for number in range(200)]
DAY = "".join(LINES)


class Dropped(InSteps):
    """A drop folder."""

    def __init__(self, folder: Path, *, batch_bytes: int = 2048) -> None:
        super().__init__(batch_bytes)
        self.folder = folder
        self.start()

    def start(self, opened: Callable[[OpenContent], Opened] | None = None) -> None:
        """A new process, which knows what is in the store."""
        self.files = DropFolder(str(self.folder / "*"), 10.0, self._reading, opened)
        self.resume()

    def take(self, seconds: float = 2.0) -> Taken | None:
        return super().take(seconds)

    def read(self, *, pieces: int = 1000) -> Counter[str]:
        """Reads and stores at most so many pieces, until nothing came for a minute or more."""
        idle = 0
        while idle < 40 and pieces:
            taken = self.take()
            idle = idle + 1 if taken is None else 0
            if taken is not None:
                self.store.append(taken)
                pieces -= 1
        return self.store.texts

    def deliver(self, name: str, data: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def states(self) -> list[FileState]:
        return [position.state for _, position in sorted(self.store.positions.items())]

    def decide(self, file_id: int, state: FileState) -> None:
        """As `cdrd file` does, and the stage sees it a little later."""
        for known, position in self.store.positions.items():
            if known == file_id:
                self.store.positions[known] = replace(position, state=state)
        self.resume()


@pytest.fixture
def dropped(tmp_path: Path) -> Dropped:
    return Dropped(tmp_path)


def whole(*lines: str) -> Counter[str]:
    return texts(*(line.rstrip("\n") for line in lines))


def test_a_whole_file_is_read_once_and_kept_by_its_checksum(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED]
    [position] = dropped.store.positions.values()
    assert position.sha256 is not None
    dropped.start()
    assert dropped.read() == whole(*LINES)


def test_nothing_is_read_before_a_file_is_quiet(dropped: Dropped) -> None:
    for end in range(40, len(DAY), 400):
        dropped.deliver("monday.csv", DAY[:end])
        assert dropped.take(9.0) is None
    dropped.deliver("monday.csv", DAY)

    assert dropped.read() == whole(*LINES)


@pytest.mark.parametrize(
    "name", [".monday.csv.x7Gh", "monday.csv.tmp", "monday.csv.part", "monday.csv.filepart"]
)
def test_a_name_of_a_delivery_under_way_is_left_alone(dropped: Dropped, name: str) -> None:
    path = dropped.deliver(name, DAY)

    assert dropped.read() == whole()
    path.rename(dropped.folder / "monday.csv")
    assert dropped.read() == whole(*LINES)


def test_the_same_content_again_is_held_under_any_name(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.read()
    dropped.deliver("tuesday.csv", DAY)
    dropped.deliver("monday.csv.gz", gzip.compress(DAY.encode()))

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.HELD, FileState.HELD]
    assert [fact.path.rpartition("/")[2] for fact in dropped.heard(What.FILE_HELD)] == [
        "tuesday.csv",
        "monday.csv.gz",
    ]
    assert {position.like for position in dropped.store.positions.values()} == {None, 1}


def test_what_another_source_has_is_held_and_the_very_same_file_left_alone(
    dropped: Dropped,
) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.read()
    [(file_id, position)] = dropped.store.positions.items()
    dropped.store.positions[file_id] = replace(position, elsewhere=True)
    dropped.start()
    assert dropped.read() == whole(*LINES)

    dropped.deliver("copy.csv", DAY)
    dropped.deliver("longer.csv", DAY + "one more\n")
    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.HELD, FileState.HELD]
    assert dropped.store.positions[file_id].elsewhere
    dropped.start()
    assert dropped.read() == whole(*LINES)


def test_a_file_that_nobody_can_decode_is_told_once_and_read_when_somebody_can(
    dropped: Dropped,
) -> None:
    can: list[bool] = []

    def opened(content: OpenContent) -> Opened:
        if not can:
            raise SourceUnavailable("no such column")
        return Opened(decode_lines, content.read(0, 6))

    dropped.deliver("monday.csv", DAY)
    dropped.start(opened)
    assert dropped.read() == whole()
    assert [fact.detail for fact in dropped.heard(What.FILE_UNREADABLE)] == [
        {"error": "no such column"}
    ]
    assert dropped.files.lag() == len(DAY)
    can.append(True)
    assert dropped.read() == whole(*LINES)
    [position] = dropped.store.positions.values()
    assert position.header == b"record"


def test_two_equal_files_that_come_at_once_are_read_once(dropped: Dropped) -> None:
    dropped.deliver("a.csv", DAY)
    dropped.deliver("b.csv", DAY)

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.HELD]


def test_a_delivery_that_is_repeated_every_night_is_held_once(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.read()
    for _ in range(3):
        dropped.deliver("copy.csv", DAY + "")
        (dropped.folder / "copy.csv").rename(dropped.folder / "copy.tmp")
        dropped.deliver("copy.csv", DAY)
        dropped.read()

    assert dropped.states() == [FileState.FINISHED, FileState.HELD]


def test_a_held_file_is_read_when_it_is_released(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.read()
    dropped.deliver("tuesday.csv", DAY)
    dropped.read()
    assert dropped.files.held == 1
    dropped.decide(2, FileState.RELEASED)

    assert dropped.read() == whole(*LINES, *LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.FINISHED]


def test_a_discarded_file_is_never_read(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.read()
    dropped.deliver("tuesday.csv", DAY)
    dropped.read()
    dropped.decide(2, FileState.DISCARDED)
    assert dropped.files.held == 0

    assert dropped.read() == whole(*LINES)
    dropped.start()
    assert dropped.read() == whole(*LINES)


def test_what_is_appended_right_behind_the_last_look_is_read(
    dropped: Dropped, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, more = dropped.deliver("monday.csv", DAY), ["one more\n"]
    pread = os.pread

    def read(descriptor: int, count: int, offset: int) -> bytes:
        data = pread(descriptor, count, offset)
        if more and offset == len(DAY) - TAIL_BYTES and count > TAIL_BYTES:
            with path.open("a") as file:
                file.write(more.pop())
        return data

    monkeypatch.setattr(os, "pread", read)

    assert dropped.read() == whole(*LINES, "one more")
    assert not more


def test_a_file_that_grew_since_it_was_read_is_read_on(dropped: Dropped) -> None:
    """As rsync delivers a file that the PBX still writes to: every time all of it."""
    for end in (1, 50, 51, 199, 200):
        dropped.deliver("Master.csv", "".join(LINES[:end]))
        (dropped.folder / "Master.csv").touch()
        assert dropped.read() == whole(*LINES[:end])

    assert dropped.states() == [FileState.FINISHED]


def test_an_older_state_of_a_file_is_held(dropped: Dropped) -> None:
    dropped.deliver("Master.csv", DAY)
    dropped.read()
    dropped.deliver("yesterday.csv", "".join(LINES[:100]))

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.HELD]


def test_a_file_that_begins_alike_and_goes_on_otherwise_is_held(dropped: Dropped) -> None:
    dropped.deliver("Master.csv", DAY)
    dropped.read()
    dropped.deliver("mended.csv", "".join(LINES[:100]) + "mended\n" + "".join(LINES[101:]))

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED, FileState.HELD]


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_file_is_read_on_after_a_restart_in_the_middle(dropped: Dropped, pieces: int) -> None:
    dropped.deliver("monday.csv", DAY)
    assert dropped.read(pieces=pieces).total() < 200
    dropped.start()

    assert dropped.read() == whole(*LINES)
    assert dropped.states() == [FileState.FINISHED]


def test_a_file_that_was_moved_while_the_daemon_was_down_is_read_on(dropped: Dropped) -> None:
    path = dropped.deliver("monday.csv", DAY)
    dropped.read(pieces=1)
    path.unlink()
    dropped.deliver("again.csv.gz", gzip.compress(DAY.encode()))
    dropped.start()

    assert dropped.read() == whole(*LINES)


def test_an_archive_that_is_cut_is_left_alone_until_it_is_whole(dropped: Dropped) -> None:
    packed = gzip.compress(DAY.encode())
    dropped.deliver("monday.csv.gz", packed[:200])
    assert dropped.read() == whole()
    assert len(dropped.heard(What.FILE_CUT)) == 1
    dropped.deliver("monday.csv.gz", packed)

    assert dropped.read() == whole(*LINES)


def test_a_file_without_a_last_newline_is_given_longer(dropped: Dropped) -> None:
    """Its delivery may have been cut off; after a while it is believed to be whole."""
    dropped.deliver("monday.csv", DAY + "last.")
    for _ in range(25):
        assert dropped.take(2.0) is None

    assert dropped.read() == whole(*LINES, "last.")


def test_a_file_that_was_cut_off_is_waited_for_as_long_as_it_is_there(dropped: Dropped) -> None:
    path = dropped.deliver("monday.csv", DAY + "the beginning")
    assert dropped.read() == whole(*LINES)
    assert len(dropped.heard(What.FILE_CUT)) == 1
    assert dropped.files.lag() == len("the beginning")
    path.unlink()
    assert dropped.read() == whole(*LINES)
    assert dropped.files.lag() == 0
    dropped.deliver("again.csv", DAY + "the beginning and the end\n")

    assert dropped.read() == whole(*LINES, "the beginning and the end")


def test_bytes_that_are_there_and_not_read_are_counted(dropped: Dropped) -> None:
    dropped.deliver("monday.csv", DAY)
    dropped.take()
    assert dropped.files.lag() == len(DAY)
    dropped.read()

    assert dropped.files.lag() == 0
