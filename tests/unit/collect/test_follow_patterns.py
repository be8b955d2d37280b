"""Many PBXs' files by one pattern, and which of them are rotated files of others."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from support.followed import Followed, texts, write

from cdrd.collect.siblings import Siblings

Follow = Callable[..., Followed]
ROTATED = ("{path}.*", "{path}-*", "{stem}-[0-9]*{suffix}*")


def test_each_file_that_matches_is_followed_by_itself(follow: Follow, tmp_path: Path) -> None:
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "Master.csv", f"{name}\n")
    followed = follow("*/Master.csv")
    followed.read()
    (tmp_path / "north" / "Master.csv").rename(tmp_path / "north" / "Master.csv.1")
    write(tmp_path / "north" / "Master.csv", "n2\n")
    write(tmp_path / "south" / "Master.csv", "s2\n")
    followed.restart()

    assert followed.wait() == texts("north", "south", "n2", "s2")


def test_a_file_that_comes_later_is_found(follow: Follow, tmp_path: Path) -> None:
    followed = follow("*.csv")
    write(tmp_path / "a.csv", "a\n")
    followed.wait()
    write(tmp_path / "b.csv", "b\n")

    assert followed.wait() == texts("a", "b")


def test_rotated_files_that_match_the_pattern_too_are_stored_once(
    follow: Follow, tmp_path: Path
) -> None:
    followed = follow("*.csv")
    write(tmp_path / "Master.csv", "a\n")
    followed.wait()
    (tmp_path / "Master.csv").rename(tmp_path / "Master-20261121.csv")
    followed.wait()
    write(tmp_path / "Master.csv", "b\n")
    followed.wait()
    followed.restart()

    assert followed.wait() == texts("a", "b")


def test_a_pattern_that_matches_rotated_files_in_the_moment_of_a_rotation(
    follow: Follow, tmp_path: Path
) -> None:
    """At the start there is no Master.csv, so its rotated files look like files of their own."""
    write(tmp_path / "Master.csv.2", "a\n")
    write(tmp_path / "Master.csv.1", "b\n")
    followed = follow("Master.csv*")
    followed.wait()
    write(tmp_path / "Master.csv", "c\n")
    followed.wait()
    (tmp_path / "Master.csv.1").rename(tmp_path / "Master.csv.3")
    (tmp_path / "Master.csv").rename(tmp_path / "Master.csv.1")
    write(tmp_path / "Master.csv", "d\n")

    assert followed.wait() == texts("a", "b", "c", "d")


def test_two_paths_whose_files_begin_alike_are_kept_apart(follow: Follow, tmp_path: Path) -> None:
    followed = follow("*.csv")
    for name in ("a", "b"):
        write(tmp_path / f"{name}.csv", "same\n")
        followed.wait()
    followed.restart()

    assert followed.wait() == texts("same", "same")


def test_one_file_that_cannot_be_read_does_not_stop_the_others(
    follow: Follow, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "c.csv").mkdir()
    followed = follow("*.csv")
    write(tmp_path / "b.csv", "b\n")

    assert followed.wait() == texts("b")


def test_a_file_that_is_gone_for_good_is_not_looked_for_any_more(
    follow: Follow, tmp_path: Path
) -> None:
    followed = follow("*.csv")
    write(tmp_path / "a.csv", "a\n")
    followed.wait()
    (tmp_path / "a.csv").unlink()
    followed.wait()
    followed.wait()

    assert followed.files.paths == []
    assert followed.store.texts == texts("a")


def test_a_moved_folder_is_known_by_its_content(follow: Follow, tmp_path: Path) -> None:
    old, new = follow("old.csv"), follow("new.csv")
    write(tmp_path / "old.csv", "a\n")
    old.read()
    (tmp_path / "old.csv").rename(tmp_path / "new.csv")
    write(tmp_path / "new.csv", "b\n")
    new.store = old.store
    new.restart()

    assert new.read() == texts("a", "b")


def test_letters_of_patterns_in_a_path_are_only_letters(tmp_path: Path) -> None:
    folder = tmp_path / "pbx[1]"
    folder.mkdir()
    path = os.fspath(folder / "Master.csv")
    write(folder / "Master.csv-20261121.gz", "x")
    siblings = Siblings(path, ROTATED)

    assert [file.path for file in siblings.files()] == [f"{path}-20261121.gz"]
    assert siblings.include(f"{path}-20261121.gz")


def test_which_paths_are_rotated_files_of_another() -> None:
    siblings = Siblings("/log/Master.csv", ROTATED)
    rotated = ["Master.csv.1", "Master.csv.1.gz", "Master.csv-20261121", "Master-20261121.csv.xz"]
    others = ["Master.csv", "Master2.csv", "Slave.csv.1", "sub/Master.csv.1"]

    assert [name for name in rotated + others if siblings.include(f"/log/{name}")] == rotated
