"""What it costs to recognise records: appended plainly, as the first of two sources, and as the second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from bench.figures import Figures, per_second, ratio
from support.captured import master_rows
from support.sources import FileSource, file_source

from cdrd.records import SourceKind
from cdrd.store.arrivals import keep_arrivals
from cdrd.store.database import Database

ROUNDS, ROWS = 12, 5000


def batch(number: int) -> list[str]:
    """Captured legs, each with a channel and a uniqueid that no other has."""
    captured = master_rows("main")
    rows = []
    for n in range(number * ROWS, (number + 1) * ROWS):
        columns = captured[n % len(captured)].split("\t")
        columns[0], columns[1] = str(n), str(n * 250)
        columns[9], columns[18] = f"PJSIP/acme-{n:08x}", f"1795285487.{n}"
        rows.append("\t".join(columns))
    return rows


async def seconds_of(source: FileSource, rows: list[str]) -> float:
    started = time.perf_counter()
    await source.store(rows)
    return time.perf_counter() - started


def test_append_of_sources_that_share_a_pbx(
    make_database: Callable[[], str], figures: Figures
) -> None:
    async def measure(dsn: str) -> dict[str, list[float]]:
        spent: dict[str, list[float]] = {"plain": [], "first": [], "second": []}
        async with (
            Database(dsn) as database,
            file_source(database, "plain", pbx="branch") as plain,
            file_source(database, "first") as first,
            file_source(database, "second", SourceKind.ASTERISK_CUSTOM) as second,
        ):
            await first.recognise()
            await keep_arrivals(database, remember_days=45)
            for number in range(ROUNDS):
                rows = batch(number)
                spent["plain"].append(await seconds_of(plain, rows))
                spent["first"].append(await seconds_of(first, rows))
                spent["second"].append(await seconds_of(second, rows))
        return spent

    spent = asyncio.run(measure(make_database()))
    for name in ("first", "second"):
        figures.add(
            f"batch of the {name} of two sources of a PBX, against one that is alone",
            ours=per_second(ROUNDS * ROWS, sum(spent[name]), "records"),
            other=per_second(ROUNDS * ROWS, sum(spent["plain"]), "records"),
            ratio=ratio(spent[name], spent["plain"]),
        )
