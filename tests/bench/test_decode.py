"""The decoders alone, against Python's own csv.reader or json over the same bytes."""

from __future__ import annotations

from bench.figures import Figures, per_second, ratio
from bench.files import contests
from bench.programs import seconds_of

ROUNDS = 5


def test_decoders_against_what_reads_without_understanding(figures: Figures) -> None:
    for contest in contests():
        ours, other = [], []
        count = contest.ours()
        for _ in range(ROUNDS):
            ours.append(seconds_of(contest.ours))
            other.append(seconds_of(contest.other))
        figures.add(
            f"decode alone: {contest.name} → rows for COPY, against {contest.other_name} alone",
            ours=per_second(count, sorted(ours)[ROUNDS // 2], "records"),
            other=per_second(contest.other(), sorted(other)[ROUNDS // 2], "records"),
            ratio=ratio(ours, other),
        )
