"""Where a piece of a large file ends is no place in the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.followed import Followed, texts, write


def test_records_that_lie_across_the_ends_of_pieces_are_whole(
    follow: Callable[..., Followed], master: Path
) -> None:
    """Also where a piece is as large as pieces can be, as with the settings' defaults."""
    names = [f"record {number:05}" for number in range(20_000)]
    write(master, "".join(f"{name}\n" for name in names))
    followed = follow(batch_bytes=65536)

    assert texts(*names) == followed.read()
    assert followed.store.rejected == []
