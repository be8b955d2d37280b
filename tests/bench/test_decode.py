"""The decoder alone, against Python's own csv.reader over the same text."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from typing import Any

from bench.backlog import ZONE, Backlog
from bench.figures import Figures, per_second, ratio

from cdrd.decode.decoders import Shape, decoder_for
from cdrd.records import Chunk, SourceKind

ROUNDS = 5
REPETITIONS = 40
"""Of the captured records; a chunk is three, which is what a batch of the daemon holds."""


def seconds_and_result(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def test_decode_against_csv_reader(figures: Figures) -> None:
    backlog = Backlog()
    pieces = list(backlog.chunks(REPETITIONS))
    chunks = [b"".join(pieces[at : at + 3]) for at in range(0, REPETITIONS, 3)]
    texts = [chunk.decode(errors="surrogateescape").splitlines(keepends=True) for chunk in chunks]
    decoder = decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=ZONE))
    count = REPETITIONS * backlog.records

    def decode() -> int:
        return sum(len(decoder.chunk(Chunk(data, 0, 1)).rows) for data in chunks)

    def read() -> int:
        return sum(len(list(csv.reader(text))) for text in texts)

    ours, other = [], []
    for _ in range(ROUNDS):
        seconds, rows = seconds_and_result(decode)
        assert rows == count
        ours.append(seconds)
        seconds, rows = seconds_and_result(read)
        assert rows == count
        other.append(seconds)
    figures.add(
        "decode alone: bytes of Master.csv → rows for COPY, against csv.reader alone",
        ours=per_second(count, sorted(ours)[ROUNDS // 2], "records"),
        other=per_second(count, sorted(other)[ROUNDS // 2], "records"),
        ratio=ratio(ours, other),
    )
