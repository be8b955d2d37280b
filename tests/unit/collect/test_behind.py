"""Since when a source is behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cdrd.collect.behind import Behind

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_a_source_that_is_read_to_its_end_is_not_behind() -> None:
    behind = Behind()
    assert behind.since(0, read=0, now=at(0)) is None
    assert behind.since(100, read=0, now=at(1)) == at(1)
    assert behind.since(0, read=100, now=at(2)) is None


def test_the_oldest_unread_byte_counts_although_others_are_read_all_the_time() -> None:
    behind = Behind()
    assert behind.since(100, read=0, now=at(0)) == at(0)
    assert behind.since(150, read=50, now=at(1)) == at(0)
    assert behind.since(150, read=100, now=at(2)) == at(1)
    assert behind.since(10, read=240, now=at(3)) == at(2)


def test_unread_bytes_that_are_gone_do_not_leave_it_behind_for_ever() -> None:
    behind = Behind()
    behind.since(1000, read=0, now=at(0))
    assert behind.since(10, read=0, now=at(1)) == at(0)
    assert behind.since(10, read=10, now=at(2)) == at(2)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), max_size=2500))
def test_it_is_the_time_that_the_first_unread_byte_was_first_measured(
    steps: list[tuple[int, int]],
) -> None:
    """Written and read in any steps; long ones are remembered with gaps, but never as younger."""
    behind = Behind()
    seen: dict[int, int] = {}
    written = read = 0
    for second, (more, taken) in enumerate(steps):
        written += more
        read = min(written, read + taken)
        for byte in range(len(seen), written):
            seen[byte] = second
        since = behind.since(written - read, read=read, now=at(second))
        assert (since is None) == (written == read)
        if since is not None and len(steps) < 1000:
            assert since == at(seen[read])
        elif since is not None:
            assert since <= at(second)
