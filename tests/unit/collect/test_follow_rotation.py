"""Rotation by rename, by copying and truncating, dated and compressed, seen or slept through."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.compressors import COMPRESSORS
from support.followed import Followed, texts, write

from cdrd.collect.happened import What

each_compression = pytest.mark.parametrize("suffix", COMPRESSORS)

Follow = Callable[..., Followed]


def copy_and_truncate(path: Path, target: Path) -> None:
    target.write_bytes(path.read_bytes())
    os.truncate(path, 0)


def test_a_renamed_file_is_read_to_its_end_and_then_the_new_one(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "b\n")
    master.rename(master.with_name("Master.csv.1"))
    write(master, "c\n")

    assert followed.read() == texts("a", "b", "c")
    [rotated] = followed.heard(What.FILE_ROTATED)
    assert rotated.detail == {"how": "renamed", "offset": 2}


def test_a_writer_that_has_the_renamed_file_open_is_waited_for(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    with master.open("a") as slow:
        master.rename(master.with_name("Master.csv.1"))
        write(master, "c\n")
        followed.read()
        slow.write("b1")
        slow.flush()
        followed.read()
        slow.write("b2\n")

    assert followed.read() == texts("a", "b1b2", "c")


def test_what_is_written_to_a_renamed_file_much_later_is_stored_too(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    master.rename(master.with_name("Master.csv.1"))
    write(master, "c\n")
    followed.wait()
    write(master.with_name("Master.csv.1"), "b\n")

    assert followed.wait() == texts("a", "b", "c")


def test_several_rotations_while_nobody_looked_are_read_oldest_first(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    followed.files.close()
    for number, name in enumerate(("b", "c", "d")):
        write(master, f"{name}\n")
        target = master.with_name(f"Master.csv-2026112{number}")
        master.rename(target)
        os.utime(target, (number, number))
    write(master, "e\n")
    followed.start()

    assert followed.wait() == texts("a", "b", "c", "d", "e")
    order = [row.split("\t")[2] for row in followed.store.rows]
    assert order.index("b") < order.index("c") < order.index("d")


def test_numbered_files_that_move_up_are_known_again(follow: Follow, master: Path) -> None:
    followed = follow()
    for name in ("a", "b", "c", "d"):
        write(master, f"{name}\n")
        followed.wait()
        for number in (3, 2, 1):
            if master.with_name(f"Master.csv.{number}").exists():
                master.with_name(f"Master.csv.{number}").rename(
                    master.with_name(f"Master.csv.{number + 1}")
                )
        master.rename(master.with_name("Master.csv.1"))
        followed.restart()

    assert followed.wait() == texts("a", "b", "c", "d")
    assert not followed.heard(What.BYTES_UNREAD)


def test_copytruncate_is_read_on_in_the_copy_and_then_from_the_beginning(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "b\n")
    copy_and_truncate(master, master.with_name("Master.csv.1"))
    write(master, "c\n")

    assert followed.wait() == texts("a", "b", "c")
    assert followed.heard(What.FILE_TRUNCATED)
    assert followed.store.unread == 0


def test_copytruncate_is_seen_even_when_the_file_has_grown_past_the_position(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\nb\n")
    followed.read()
    copy_and_truncate(master, master.with_name("Master.csv.1"))
    write(master, "c\nd\ne\n")

    assert followed.wait() == texts("a", "b", "c", "d", "e")


def test_copytruncate_is_seen_when_all_that_differs_is_the_beginning(
    follow: Follow, master: Path
) -> None:
    """Records of one length that end alike: the bytes before the position do not tell."""
    followed = follow()
    end = "x" * 100
    write(master, f"a{end}\n")
    followed.read()
    copy_and_truncate(master, master.with_name("Master.csv.1"))
    write(master, f"b{end}\nc\n")

    assert followed.wait() == texts(f"a{end}", f"b{end}", "c")


def test_copytruncate_while_nobody_looked(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    followed.files.close()
    write(master, "b\n")
    copy_and_truncate(master, master.with_name("Master.csv-20261121"))
    write(master, "c\n")
    copy_and_truncate(master, master.with_name("Master.csv-20261122"))
    write(master, "d\n")
    followed.start()

    assert followed.wait() == texts("a", "b", "c", "d")


def test_a_copy_in_the_making_is_not_stored_twice(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\nb\nc\n")
    followed.read()
    for part in ("a", "\nb", "\n", "c\n"):
        write(master.with_name("Master.csv.1"), part)
        followed.wait()
    os.truncate(master, 0)

    assert followed.wait() == texts("a", "b", "c")


def test_a_copy_made_before_the_last_records_is_not_stored_twice(
    follow: Follow, master: Path
) -> None:
    """Records written between the copy and the truncation are in no file, but were read in time."""
    followed = follow()
    write(master, "a\nb\n")
    master.with_name("Master.csv.1").write_bytes(master.read_bytes())
    write(master, "c\n")
    followed.read()
    os.truncate(master, 0)
    write(master, "d\n")
    followed.wait()
    followed.restart()

    assert followed.wait() == texts("a", "b", "c", "d")
    assert followed.store.unread == 0


def test_a_backup_beside_the_file_is_not_stored_twice(follow: Follow, master: Path) -> None:
    write(master, "a\nb\n")
    master.with_name("Master.csv.bak").write_bytes(master.read_bytes())
    master.with_name("Master.csv.bak.gz").write_bytes(gzip.compress(master.read_bytes()))
    write(master, "c\n")
    followed = follow()

    assert followed.wait() == texts("a", "b", "c")
    assert len(followed.store.positions) == 1


def test_what_truncating_destroyed_is_counted(follow: Follow, master: Path) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "lost\n")
    followed.take()
    followed.resume()
    os.truncate(master, 0)
    write(master, "b\n")

    assert followed.wait() == texts("a", "b")
    assert followed.store.unread == len("lost\n")
    [fact] = followed.heard(What.BYTES_UNREAD)
    assert fact.detail == {"bytes": 5}


def test_what_was_counted_as_lost_is_uncounted_when_it_is_found(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    write(master, "b\n")
    followed.take()
    followed.resume()
    copy = master.read_bytes()
    os.truncate(master, 0)
    write(master, "c\n")
    followed.wait()
    assert followed.store.unread == 2
    master.with_name("Master.csv.1.gz").write_bytes(gzip.compress(copy))

    assert followed.wait() == texts("a", "b", "c")
    assert followed.store.unread == 0


def test_a_first_record_that_was_torn_and_truncated_is_counted(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "torn")
    followed.read()
    os.truncate(master, 0)
    followed.wait()

    assert followed.store.unread == 4
    assert not followed.store.rows


@each_compression
def test_a_file_rotated_and_compressed_while_nobody_looked_is_read_on(
    follow: Follow, master: Path, suffix: str
) -> None:
    followed = follow()
    write(master, "a\n")
    followed.read()
    followed.files.close()
    write(master, "b\n" + "".join(f"{number}\n" for number in range(5000)))
    numbers = [str(number) for number in range(5000)]
    data = master.read_bytes()
    master.with_name(f"Master.csv.1{suffix}").write_bytes(COMPRESSORS[suffix](data))
    master.unlink()
    write(master, "c\n")
    followed.start()

    assert followed.wait() == texts("a", "b", "c", *numbers)


@each_compression
def test_a_compressed_file_never_seen_before_is_read(
    follow: Follow, master: Path, suffix: str
) -> None:
    master.with_name(f"Master.csv.1{suffix}").write_bytes(COMPRESSORS[suffix](b"a\nb\n"))
    write(master, "c\n")

    assert follow().wait() == texts("a", "b", "c")


@each_compression
def test_a_compressed_file_with_nothing_in_it_is_looked_at_once(
    follow: Follow, master: Path, suffix: str
) -> None:
    master.with_name(f"Master.csv.1{suffix}").write_bytes(COMPRESSORS[suffix](b""))
    write(master, "a\n")
    followed = follow()
    followed.wait()
    master.rename(master.with_name("aside"))
    followed.wait()
    master.with_name("aside").rename(master)
    followed.restart()
    write(master, "b\n")

    assert followed.wait() == texts("a", "b")
    assert not followed.heard(What.FILE_FINISHED)


@each_compression
def test_a_plain_file_and_its_compressed_twin_are_stored_once(
    follow: Follow, master: Path, suffix: str
) -> None:
    plain = master.with_name("Master.csv.1")
    write(plain, "a\nb\n")
    master.with_name(f"Master.csv.1{suffix}").write_bytes(COMPRESSORS[suffix](b"a\nb\n"))
    followed = follow()
    followed.wait()
    plain.unlink()
    followed.restart()

    assert followed.wait() == texts("a", "b")


@each_compression
def test_a_plain_file_that_goes_before_it_is_read_leaves_its_compressed_twin(
    follow: Follow, master: Path, suffix: str
) -> None:
    plain = master.with_name("Master.csv.1")
    write(plain, "a\nb\n")
    master.with_name(f"Master.csv.1{suffix}").write_bytes(COMPRESSORS[suffix](b"a\nb\n"))
    followed = follow()
    assert followed.read() == texts()
    plain.unlink()

    assert followed.wait() == texts("a", "b")


@each_compression
def test_a_file_being_compressed_is_neither_an_error_nor_stored_twice(
    follow: Follow, master: Path, suffix: str
) -> None:
    followed = follow()
    records = [f"{number}{'x' * 50}" for number in range(100)]
    write(master, "\n".join(records) + "\n")
    followed.read()
    plain = master.with_name("Master.csv.1")
    master.rename(plain)
    whole = COMPRESSORS[suffix](plain.read_bytes())
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 1):
        master.with_name(f"Master.csv.1{suffix}").write_bytes(whole[:length])
        assert followed.wait() == texts(*records)
    master.with_name(f"Master.csv.1{suffix}").write_bytes(whole)
    plain.unlink()

    assert followed.wait() == texts(*records)
    assert not followed.heard(What.FILE_UNREADABLE)


def test_what_is_whole_in_a_damaged_archive_is_stored_and_the_rest_reported(
    follow: Follow, master: Path
) -> None:
    records = [f"{number} {os.urandom(20).hex()}" for number in range(2000)]
    whole = gzip.compress(("\n".join(records) + "\n").encode())
    master.with_name("Master.csv.1.gz").write_bytes(whole[: len(whole) // 2])
    followed = follow()
    stored = followed.wait()

    assert 0 < sum(stored.values()) < 2000
    assert stored <= texts(*records)
    assert followed.heard(What.FILE_CUT)
    master.with_name("Master.csv.1.gz").write_bytes(whole)
    assert followed.wait() == texts(*records)


def test_a_file_known_to_be_read_is_not_opened_again(
    follow: Follow, master: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed = follow()
    write(master.with_name("Master.csv.1"), "a\n")
    master.with_name("Master.csv.2.gz").write_bytes(gzip.compress(b"b\n"))
    followed.wait()
    opened: list[str] = []
    really = os.open

    def noted(path: str, *rest: int) -> int:
        opened.append(path)
        return really(path, *rest)

    monkeypatch.setattr(os, "open", noted)
    followed.restart()
    followed.wait()

    assert opened == []


def test_two_files_that_begin_with_the_same_records_are_kept_apart_by_their_inodes(
    follow: Follow, master: Path
) -> None:
    followed = follow()
    write(master, "same\n")
    followed.read()
    master.rename(master.with_name("Master.csv.1"))
    write(master, "same\nother\n")
    followed.wait()
    master.with_name("Master.csv.1").rename(master.with_name("Master.csv.2"))
    master.rename(master.with_name("Master.csv.1"))
    write(master, "same\n")
    followed.wait()
    followed.restart()

    assert followed.wait() == texts("same", "same", "other", "same")
