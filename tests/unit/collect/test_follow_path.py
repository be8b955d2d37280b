"""What can happen to a file at its path: it is missing, replaced, torn, unreadable, slow, or returns."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from support.followed import Followed, texts, write

from cdrd.collect.happened import What

Follow = Callable[..., Followed]


def test_a_file_that_is_missing_at_first_is_read_when_it_comes(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    assert followed.wait() == texts()
    write(master, "a\n")

    assert followed.read() == texts("a")


def test_an_empty_file_is_no_generation(follow: Follow, master: Path) -> None:
    followed = follow()
    master.touch()
    followed.wait()

    assert followed.store.positions == {}
    assert not followed.told


def test_a_file_of_one_byte_is_followed(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "\n")
    followed.read()
    followed.restart()
    write(master, "a\n")
    followed.read()
    followed.restart()
    write(master, "b\n")

    assert followed.read() == texts("", "a", "b")


def test_a_file_that_vanishes_and_returns_goes_on(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    master.rename(master.with_name("aside"))
    followed.wait()
    master.with_name("aside").rename(master)
    write(master, "b\n")

    assert followed.wait() == texts("a", "b")


def test_the_same_content_under_another_inode_goes_on(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    shutil.copy(master, master.with_name("aside"))
    master.unlink()
    followed.wait()
    master.with_name("aside").rename(master)
    write(master, "b\n")

    assert followed.wait() == texts("a", "b")
    assert len(followed.store.positions) == 1


def test_a_file_that_is_being_copied_back_is_not_read_again(follow: Follow, master: Path) -> None:
    followed = follow()
    data = "".join(f"record {number}\n" for number in range(300))
    write(master, data)
    followed.read()
    stored = followed.store.texts
    master.unlink()
    followed.wait()
    with master.open("w") as back:
        for part in (data[:2000], data[2000:]):
            back.write(part)
            back.flush()
            followed.read()

    assert followed.wait() == stored


def test_a_removed_file_is_read_to_its_end(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "b\n")
    master.unlink()

    assert followed.wait() == texts("a", "b")


def test_a_removed_file_is_read_to_its_end_after_the_database_was_away(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.take()
    master.unlink()
    write(master, "b\n")
    followed.take()
    followed.resume()

    assert followed.wait() == texts("a", "b")


def test_another_file_in_place_of_a_longer_one_is_read_from_its_beginning(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\nb\n")
    followed.read()
    write(master.with_name("other"), "c\n")
    master.with_name("other").rename(master)

    assert followed.wait() == texts("a", "b", "c")


def test_another_file_in_place_of_a_shorter_one_is_read_from_its_beginning(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    followed.files.close()
    master.unlink()
    write(master, "c\nd\ne\n")  # on many file systems in the inode that has just become free
    followed.start()

    assert followed.wait() == texts("a", "c", "d", "e")


def test_a_file_written_anew_in_its_own_inode_is_read_from_its_beginning(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\nb\n")
    followed.read()
    write(master, "c\nd\n", mode="r+")
    followed.read()
    write(master, "e\n")

    assert followed.wait() == texts("a", "b", "c", "d", "e")


def test_a_shorter_file_that_begins_alike_could_be_being_copied_back_until_it_is_quiet(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "b\nc\n")
    followed.read()
    followed.files.close()
    write(master, "a\nx\n", mode="w")
    followed.start()
    assert followed.read() == texts("a", "b", "c")

    assert followed.wait() == texts("a", "b", "c", "a", "x")


def test_a_record_that_is_written_byte_by_byte_is_one_record(follow: Follow, master: Path) -> None:
    followed = follow()
    for letter in "slowly\nvery\n":
        write(master, letter)
        followed.read()

    assert followed.store.texts == texts("slowly", "very")
    assert not followed.store.rejected


def test_the_torn_end_of_the_live_file_is_left_alone_for_ever(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\ntor")
    for _ in range(3):
        followed.wait()
        followed.restart()
    write(master, "n\n")

    assert followed.read() == texts("a", "torn")


def test_the_torn_end_of_a_rotated_file_is_suspended_when_it_is_quiet(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\ntorn")
    followed.read()
    master.rename(master.with_name("Master.csv.1"))
    followed.read()
    assert followed.store.rejected == []
    followed.wait()

    [rejected] = followed.store.rejected
    assert (rejected.raw, rejected.line, rejected.offset) == (b"torn", 2, 2)


def test_the_torn_end_of_a_rotated_file_is_suspended_once(follow: Follow, master: Path) -> None:
    write(master.with_name("Master.csv.1"), "a\ntorn")
    followed = follow()
    for _ in range(3):
        followed.wait()
        followed.restart()

    assert len(followed.store.rejected) == 1
    assert followed.store.texts == texts("a")


def test_a_last_record_without_its_newline_is_stored_when_the_file_is_final(
    follow: Follow, master: Path
) -> None:
    write(master.with_name("Master.csv.1"), "a\nwhole.")

    followed = follow()
    followed.wait()

    assert followed.wait() == texts("a", "whole.")


def test_a_record_longer_than_a_batch_is_read(follow: Follow, master: Path) -> None:
    followed = follow(batch_bytes=1024)
    write(master, f"a\n{'b' * 30000}\nc\n")

    assert followed.read() == texts("a", "b" * 30000, "c")


def test_a_file_without_any_end_of_line_does_not_stop_the_reading(
    follow: Follow, master: Path
) -> None:
    """The decoder is told to take it as it is; what it makes of that is its own matter."""
    followed = follow(batch_bytes=1024)
    write(master, "x" * 200_000)
    followed.read()
    write(master, "\na\n")

    assert followed.read()["a"] == 1
    assert sum(len(record.raw) for record in followed.store.rejected) >= 131_072


def test_a_backlog_is_read_in_pieces_of_a_batch(follow: Follow, master: Path) -> None:
    followed = follow(batch_bytes=2048)
    write(master, "".join(f"{number}\n" for number in range(5000)))
    sizes = []
    while taken := followed.take():
        sizes.append(len(taken.chunk.data))
        followed.store.append(taken)

    assert max(sizes) <= 2048
    assert len(followed.store.rows) == 5000


def test_a_fresh_record_does_not_wait_for_a_backlog(follow: Follow, master: Path) -> None:
    write(master.with_name("Master.csv.1"), "".join(f"{number}\n" for number in range(5000)))
    followed = follow(batch_bytes=2048)
    while (taken := followed.take()) is None:
        followed.now += 1
    followed.store.append(taken)
    write(master, "fresh\n")
    for _ in range(2):
        taken = followed.take()
        assert taken is not None
        followed.store.append(taken)

    assert followed.store.texts["fresh"] == 1
    assert len(followed.store.rows) < 5000


def test_a_backlog_does_not_wait_for_an_eager_writer(follow: Follow, master: Path) -> None:
    write(master.with_name("Master.csv.1"), "".join(f"{number}\n" for number in range(2000)))
    followed = follow(batch_bytes=1024)
    fresh = 0
    while sum(followed.store.texts[str(number)] for number in (0, 1999)) < 2:
        write(master, f"fresh {fresh}\n")
        fresh += 1
        taken = followed.take()
        if taken is not None:
            followed.store.append(taken)

    assert fresh < 50


def test_lines_are_numbered_from_the_beginning_of_each_file(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\nb\n")
    followed.read()
    write(master, "c\n")
    followed.read()
    master.rename(master.with_name("Master.csv.1"))
    write(master, "d\n")
    followed.read()

    assert followed.store.rows == ["1\t0\ta", "2\t2\tb", "3\t4\tc", "1\t0\td"]


def test_a_path_that_cannot_be_read_is_tried_again(follow: Follow, master: Path) -> None:
    followed = follow()
    master.symlink_to(master)  # too many levels of symbolic links, for root too
    followed.wait()
    [fact] = followed.heard(What.FILE_UNREADABLE)
    assert "symbolic links" in str(fact.detail["error"])
    master.unlink()
    write(master, "a\n")

    assert followed.wait() == texts("a")
    assert len(followed.heard(What.FILE_READABLE)) == 1
    master.unlink()
    master.symlink_to(master)
    followed.wait()
    assert len(followed.heard(What.FILE_UNREADABLE)) == 2


def test_a_path_that_is_a_folder_is_said_to_be_no_file(follow: Follow, master: Path) -> None:
    followed = follow()
    master.mkdir()
    followed.wait()

    [fact] = followed.heard(What.FILE_UNREADABLE)
    assert fact.detail["error"] == f"{master} is no file"


def test_a_pipe_at_the_path_does_not_block(follow: Follow, master: Path) -> None:
    os.mkfifo(master)
    followed = follow()

    assert followed.wait() == texts()
    assert followed.heard(What.FILE_UNREADABLE)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Root reads everything; so that permissions mean something, the reading is done as nobody."""
    user = os.geteuid()
    if user == 0:
        for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
            folder.chmod(folder.stat().st_mode | 0o055)

    @contextmanager
    def nobody() -> Iterator[None]:
        if user == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(user)

    return nobody


def test_a_rotated_file_that_cannot_be_read_does_not_stop_the_others(
    follow: Follow, master: Path, as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    followed = follow()
    hidden = master.with_name("Master.csv.1")
    write(hidden, "hidden\n")
    write(master.with_name("Master.csv.2"), "b\n")
    write(master, "a\n")
    hidden.chmod(0)
    with as_nobody():
        followed.wait()

    assert followed.store.texts == texts("a", "b")
    assert len(followed.heard(What.FILE_UNREADABLE)) == 1
    hidden.chmod(0o644)
    assert followed.wait() == texts("a", "b", "hidden")


def test_what_was_read_and_not_stored_is_read_again(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\nb\n")
    followed.take()
    followed.take()
    followed.resume()

    assert followed.read() == texts("a", "b")


def test_a_first_batch_whose_answer_got_lost_is_not_stored_twice(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    taken = followed.take()
    assert taken is not None
    followed.store.append(taken)
    taken.generation.file_id = None
    followed.resume()
    write(master, "b\n")

    assert followed.read() == texts("a", "b")
    assert len(followed.store.positions) == 1


def test_the_lag_is_what_is_not_read(follow: Follow, master: Path) -> None:
    followed = follow(batch_bytes=1024)
    write(master, "".join(f"{number:09}\n" for number in range(1000)))
    followed.take()
    assert followed.files.lag() == 10_000 - 1020
    followed.read()

    assert followed.files.lag() == 0
