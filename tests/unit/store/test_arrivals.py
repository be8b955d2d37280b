"""What a record is recognised by, and how many of its like there are."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.captured import (
    ami_channel_event_rows,
    ami_queue_event_rows,
    ami_rows,
    channel_event_rows,
    custom_rows,
    json_rows,
    master_rows,
    queue_event_rows,
)
from support.decoded import RECORDS

from cdrd.errors import RowRefused
from cdrd.records import Family, SourceId
from cdrd.store.arrivals import Arrival, Known, recognise
from cdrd.store.identity import Key, Recognition, keys_of

BY_CHANNEL, BY_UNIQUEID = Recognition("hq"), Recognition("hq", by_channel=False)
A, B = SourceId(1), SourceId(2)
DAY = date(2026, 11, 21)


def digests(rows: list[str], recognition: Recognition = BY_CHANNEL) -> list[bytes]:
    return [key.digest for key in keys_of(rows, Family.LEG, recognition)]


@pytest.mark.parametrize("capture", RECORDS)
def test_a_leg_is_recognised_in_every_file_that_has_it(capture: str) -> None:
    """Also where cdr_csv writes no uniqueid, and in the night when the clocks change."""
    custom = digests(custom_rows(capture))

    assert len(custom) == RECORDS[capture]
    assert digests(master_rows(capture)) == custom
    assert digests(json_rows(capture)) in ([], custom)


def test_a_leg_is_recognised_on_the_manager_interface() -> None:
    assert Counter(digests(ami_rows())) == Counter(digests(master_rows("main")))


def test_a_channel_event_is_recognised_on_the_manager_interface() -> None:
    written = Counter(
        k.digest for k in keys_of(channel_event_rows("main"), Family.CEL_EVENT, BY_CHANNEL)
    )
    heard = Counter(
        k.digest for k in keys_of(ami_channel_event_rows(), Family.CEL_EVENT, BY_CHANNEL)
    )

    assert heard.total() > 200
    assert heard - written == Counter()


def test_a_queue_event_is_recognised_on_the_manager_interface() -> None:
    """Also one that says less there; a caller who leaves has no event in queue_log."""
    known = [row for row in ami_queue_event_rows() if "QueueCallerLeave" not in row]
    written = Counter(
        k.digest for k in keys_of(queue_event_rows("main"), Family.QUEUE_EVENT, BY_CHANNEL)
    )
    heard = Counter(k.digest for k in keys_of(known, Family.QUEUE_EVENT, BY_CHANNEL))

    assert {row.split("\t")[6] for row in known} >= {"CONNECT", "COMPLETECALLER", "RINGNOANSWER"}
    assert heard - written == Counter()


def test_only_legs_that_forkcdr_copied_are_alike() -> None:
    counted = Counter(digests(master_rows("main")))

    assert [count for count in counted.values() if count > 1] == [2]


def test_the_same_leg_of_another_pbx_is_another_leg() -> None:
    rows = list(islice(master_rows("main"), 50))

    assert not set(digests(rows)) & set(digests(rows, Recognition("branch")))


def test_without_channel_numbers_the_uniqueid_tells_legs_apart() -> None:
    row = master_rows("main")[0]
    columns = row.split("\t")
    columns[18] = "another"
    other = "\t".join(columns)

    assert digests([row]) == digests([other])
    assert digests([row], BY_UNIQUEID) != digests([other], BY_UNIQUEID)


def test_a_time_that_is_none_is_a_refused_row() -> None:
    with pytest.raises(RowRefused, match="no time"):
        keys_of(["1\t0\tyesterday" + "\t\\N" * 22], Family.LEG, BY_CHANNEL)


def key(digest: str, sequence: int | None = None) -> Key:
    return Key(DAY, digest.encode(), sequence, 1, 0)


class Arrived:
    """What several sources deliver, one delivery after another."""

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.noted: list[Known] = []

    def deliver(self, source_id: SourceId, *keys: Key, repeats: bool = False) -> list[Arrival]:
        arrivals = recognise(keys, self.noted, source_id=source_id, repeats=repeats)
        for arrival in arrivals:
            said = arrival.key
            if arrival.is_new:
                self.stored.append(said.digest.decode())
            if not arrival.is_noted:
                self.noted.append(
                    Known(said.day, said.digest, arrival.ordinal, source_id, 0, said.sequence)
                )
        identities = [(*one[:4],) for one in self.noted]
        assert len(identities) == len(set(identities))
        return arrivals


RECORDS_OF_A_PBX = st.lists(st.sampled_from("abcd"), max_size=12)


@given(st.data(), RECORDS_OF_A_PBX)
def test_two_sources_in_any_batches_and_any_interleaving_store_each_record_once(
    data: st.DataObject, written: list[str]
) -> None:
    """Each source may write in an order of its own, as backends do."""
    arrived = Arrived()
    waiting = {source: data.draw(st.permutations(written)) for source in (A, B)}
    while any(waiting.values()):
        source = data.draw(st.sampled_from([s for s in waiting if waiting[s]]))
        count = data.draw(st.integers(1, len(waiting[source])))
        batch, waiting[source] = waiting[source][:count], waiting[source][count:]
        arrived.deliver(source, *map(key, batch))

    assert Counter(arrived.stored) == Counter(written)
    assert len(arrived.noted) == 2 * len(written)


def test_a_record_of_a_file_is_another_one_each_time_it_comes() -> None:
    arrived = Arrived()
    arrived.deliver(A, key("twin"))
    arrived.deliver(A, key("twin"))

    assert arrived.stored == ["twin", "twin"]


def test_a_pushed_record_is_the_same_each_time_it_comes() -> None:
    arrived = Arrived()
    arrived.deliver(A, key("a"), repeats=True)
    [again] = arrived.deliver(A, key("a"), repeats=True)

    assert arrived.stored == ["a"]
    assert again.is_noted


def test_twins_of_one_delivery_both_count_however_often_it_is_sent() -> None:
    arrived = Arrived()
    for _ in range(3):
        arrived.deliver(A, key("twin"), key("other"), key("twin"), repeats=True)

    assert Counter(arrived.stored) == Counter(twin=2, other=1)


def test_twins_of_two_deliveries_are_told_apart_by_their_sequence() -> None:
    arrived = Arrived()
    for sequence in (7, 8, 7, 8):
        arrived.deliver(A, key("twin", sequence), repeats=True)

    assert arrived.stored == ["twin", "twin"]


def test_a_sequence_that_begins_again_merges_nothing() -> None:
    """Asterisk counts from 0 after each start: the sequence is no part of a key."""
    arrived = Arrived()
    arrived.deliver(A, key("before", 0), key("before too", 1), repeats=True)
    arrived.deliver(A, key("after", 0), key("after too", 1), repeats=True)

    assert len(arrived.stored) == 4


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=10, unique=True),
    st.randoms(use_true_random=False),
)
def test_pushes_in_any_pieces_sent_any_number_of_times_store_what_a_file_has(
    records: list[tuple[str, int]], chance: Random
) -> None:
    """The file has no sequences; the pushes have, and are sent again."""
    arrived = Arrived()
    pushes = [key(*record) for record in records] * 2
    chance.shuffle(pushes)
    half = len(pushes) // 2
    arrived.deliver(B, *pushes[:half], repeats=True)
    arrived.deliver(A, *(key(name) for name, _ in records))
    for push in pushes[half:]:
        arrived.deliver(B, push, repeats=True)

    assert Counter(arrived.stored) == Counter(name for name, _ in records)


def test_a_record_is_stored_though_the_first_of_its_like_is_forgotten() -> None:
    """Of two that came weeks apart the older is forgotten first; the third is no copy of the second."""
    later = Known(DAY, b"twin", 1, A, 17, None)
    twin = key("twin")
    [third, fourth] = recognise([twin, twin], [later], source_id=A, repeats=False)

    assert [third.is_new, fourth.is_new] == [True, True]
    assert len({third.ordinal, fourth.ordinal, later.ordinal}) == 3
