"""The decoder of carriers' files alone, against Python's own csv.reader over the same text."""

from __future__ import annotations

import csv
import time

from bench.figures import Figures, per_second, ratio

from cdrd.decode.carrier_chunks import CarrierDecoder, header_of
from cdrd.decode.carrier_mapping import CarrierMapping
from cdrd.records import Chunk

ROUNDS = 5
ROWS = 20_000
MAPPING = CarrierMapping(
    columns={"date": "Start", "caller": "From", "called": "To", "duration": "Secs", "cost": "Cost"},
    currency="GBP",
    zone="Europe/London",
)
TEXT = "Start,From,To,Secs,Cost,Note\n" + "".join(
    f"2026-07-01 13:{n // 60 % 60:02}:{n % 60:02},01632960111,+3314567{n:06},{n % 900},0.0{n:06},\n"
    for n in range(ROWS)
)


def test_decode_of_carriers_against_csv_reader(figures: Figures) -> None:
    data, lines = TEXT.encode(), TEXT.splitlines(keepends=True)
    decoder = CarrierDecoder("alpha", MAPPING, header_of(data, MAPPING))
    ours, other = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        assert len(decoder.chunk(Chunk(data, 0, 1, final=True)).rows) == ROWS
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        assert len(list(csv.reader(lines))) == ROWS + 1
        other.append(time.perf_counter() - started)
    figures.add(
        "decode of a carrier's file: bytes → rows for COPY, against csv.reader alone",
        ours=per_second(ROWS, sorted(ours)[ROUNDS // 2], "rows"),
        other=per_second(ROWS, sorted(other)[ROUNDS // 2], "rows"),
        ratio=ratio(ours, other),
    )
