"""Compressed files are read by the offsets of their content, whatever their shape."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from support.compressors import COMPRESSORS, Compress

from cdrd.collect.compressed import CompressedContent, open_content

DATA = b"".join(b"%d:%s\n" % (number, bytes([65 + number % 26]) * 50) for number in range(5_000))


@pytest.fixture(params=COMPRESSORS)
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def compress(suffix: str) -> Compress:
    return COMPRESSORS[suffix]


@pytest.fixture
def path(tmp_path: Path, suffix: str) -> Path:
    return tmp_path / f"Master.csv.1{suffix}"


def test_any_piece_can_be_read_in_any_order(path: Path, compress: Compress) -> None:
    path.write_bytes(compress(DATA))
    with closing(open_content(str(path))) as content:
        for offset in (0, 200_000, 200_010, 199_000, 10, len(DATA) - 5, len(DATA), len(DATA) + 9):
            assert content.read(offset, 1000) == DATA[offset : offset + 1000]
        assert content.length() == len(DATA)
        assert content.is_whole()


def test_several_streams_in_one_file_are_one_content(path: Path, compress: Compress) -> None:
    path.write_bytes(compress(b"a\n") + compress(b"") + compress(b"b\n"))
    with closing(open_content(str(path))) as content:
        assert content.read(0, 10) == b"a\nb\n"
        assert content.is_whole()


@pytest.mark.parametrize("left", [0, 1, 5, 0.5, -1])
def test_a_cut_file_gives_what_is_there_and_says_that_it_is_cut(
    path: Path, compress: Compress, left: float
) -> None:
    whole = compress(DATA)
    path.write_bytes(whole[: left if isinstance(left, int) else int(len(whole) * left)])
    with closing(open_content(str(path))) as content:
        assert DATA.startswith(content.read(0, len(DATA)))
        assert not content.is_whole()


def test_a_file_that_is_no_archive_is_cut_at_its_beginning(path: Path) -> None:
    path.write_bytes(b"this is plain text\n" * 100)
    with closing(open_content(str(path))) as content:
        assert content.read(0, 10) == b""
        assert not content.is_whole()


def test_an_empty_content_is_whole(path: Path, compress: Compress) -> None:
    path.write_bytes(compress(b""))
    with closing(open_content(str(path))) as content:
        assert content.read(0, 10) == b""
        assert content.is_whole()


def test_what_is_read_is_not_kept(path: Path, compress: Compress) -> None:
    path.write_bytes(compress(b"x" * 6_000_000))
    with closing(open_content(str(path))) as content:
        assert isinstance(content, CompressedContent)
        for offset in range(0, 6_000_000, 1_000_000):
            assert len(content.read(offset, 1_000_000)) == 1_000_000
            assert len(content._piece) < 3_000_000
