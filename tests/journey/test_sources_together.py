"""One PBX with everything it can write, collected by the real daemon: each leg once, every record counted."""

from __future__ import annotations

import asyncio
import gzip
import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from support.captured import ZONE
from support.daemon import DaemonProcess, cdrd
from support.decoded import CAPTURES, FULL, master_files
from support.pbx import Pbx, number_of, record
from support.sources import accounts_are_even, ask
from support.waiting import DEADLINE, wait_until

from cdrd.store.database import Database


def everything(folder: Path) -> list[dict[str, Any]]:
    """The files that Asterisk wrote during the same calls, as one source each."""
    custom = CAPTURES / "main" / "cdr-custom"
    (folder / "Master.csv").write_bytes(b"".join(f.read_bytes() for f in master_files("main")))
    (folder / "cel.csv").write_bytes(
        gzip.decompress((CAPTURES / "main" / "cel.csv.gz").read_bytes())
    )
    shutil.copy(CAPTURES / "main" / "queue_log", folder)
    shutil.copy(custom / "full.csv", folder)
    shutil.copy(custom / "full.json", folder)
    kinds: dict[str, dict[str, Any]] = {
        "Master.csv": {"kind": "asterisk-csv"},
        "full.csv": {"kind": "asterisk-custom", "columns": FULL},
        "full.json": {"kind": "asterisk-json"},
        "cel.csv": {"kind": "asterisk-cel"},
        "queue_log": {"kind": "asterisk-queue-log"},
    }
    return [
        {
            "name": name.lower(),
            "pbx": "hq",
            "zone": ZONE,
            "path": str(folder / name),
            "rotated": [],
            **kind,
        }
        for name, kind in kinds.items()
    ]


async def records(dsn: str) -> dict[str, tuple[int, int, int, int]]:
    """What became of each source's records."""
    async with Database(dsn) as database:
        rows = await ask(
            database,
            "SELECT name, sum(records)::int, sum(legs)::int, sum(events)::int, sum(duplicates)::int"
            " FROM position JOIN file USING (file_id) JOIN source USING (source_id) GROUP BY name",
        )
        assert await accounts_are_even(database)
    return {name: tuple(counts) for name, *counts in rows}


def metrics(daemon: DaemonProcess) -> str:
    with urlopen(f"{daemon.url}/metrics", timeout=DEADLINE) as answer:  # noqa: S310 - our own daemon
        text: str = answer.read().decode()
    return text


def test_each_leg_is_stored_once_and_every_record_is_accounted_for(
    tmp_path: Path, dsn: str
) -> None:
    written = {
        "master.csv": 1232, "full.csv": 1232, "full.json": 1232, "cel.csv": 13521, "queue_log": 34
    }  # fmt: skip
    daemon = DaemonProcess(tmp_path, dsn, everything(tmp_path), roles=("collect", "serve"))
    daemon.write_config()
    daemon.start()
    try:
        wait_until(
            lambda: (
                {name: counts[0] for name, counts in asyncio.run(records(dsn)).items()} == written
            ),
            what="every record is accounted for",
        )
        for name, count in written.items():
            line = f'cdrd_records_total{{source="{name}"}} {count}.0'
            wait_until(lambda line=line: line in metrics(daemon), what=line)
        status = cdrd("-c", str(daemon.config), "status").stdout
        story = cdrd("-c", str(daemon.config), "explain", "7").stdout
    finally:
        assert daemon.stop() == 0

    found = asyncio.run(records(dsn))
    legs = [found[name] for name in ("master.csv", "full.csv", "full.json")]
    assert sum(counts[1] for counts in legs) == 1232
    assert sum(counts[3] for counts in legs) == 2 * 1232
    assert story.count("\n  also from source ") == 2
    assert found["cel.csv"] == (13521, 0, 13521, 0)
    assert found["queue_log"] == (34, 0, 34, 0)
    for name, count in written.items():
        assert f"records {count}:" in status.partition(f"{name} (")[2].partition("\n\n")[0]


def test_two_sources_of_one_pbx_under_kills_store_each_leg_once(tmp_path: Path, dsn: str) -> None:
    """Master.csv and a second file with the same records; killed with -9 while both are written."""
    chance = random.Random(3)
    pbx = Pbx(tmp_path / "Master.csv")
    second = tmp_path / "second.csv"
    sources = [
        {"name": path.stem.lower(), "kind": "asterisk-csv", "pbx": "hq", "path": str(path)}
        for path in (pbx.path, second)
    ]
    daemon = DaemonProcess(tmp_path, dsn, sources, roles=("collect",))
    daemon.write_config()

    def write(count: int) -> None:
        behind = [record(number) for number in range(pbx.written, pbx.written + count)]
        pbx.append(count)
        with second.open("ab") as file:
            file.writelines(behind)

    for _ in range(3):
        daemon.start()
        until = time.monotonic() + chance.uniform(0, 0.5)
        while time.monotonic() < until:
            write(chance.randrange(1, 30))
        daemon.kill()
        write(5)
        if chance.random() < 0.5:
            pbx.compress(pbx.rotate_by_rename())
    daemon.start()
    try:
        wait_until(lambda: _counted(dsn) == 2 * pbx.written, what="every record is accounted for")
    finally:
        assert daemon.stop() == 0

    assert _stored(dsn) == Counter(range(pbx.written))


def _counted(dsn: str) -> int:
    return sum(counts[0] for counts in asyncio.run(records(dsn)).values())


def _stored(dsn: str) -> Counter[int]:
    async def work() -> Counter[int]:
        async with Database(dsn) as database:
            rows = await ask(database, "SELECT uniqueid FROM leg")
        return Counter(number_of(uniqueid) for (uniqueid,) in rows)

    return asyncio.run(work())
