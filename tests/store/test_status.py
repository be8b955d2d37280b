"""What `cdrd status` says of a source, whoever asks and wherever it is collected."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from click.testing import CliRunner
from support.captured import master_rows
from support.sources import FileSource, ask, file_source
from support.waiting import until

from cdrd.cli import cli
from cdrd.collect.reporter import Reporter
from cdrd.enrich.stage import RE_ENRICH
from cdrd.records import AcctId, Reason, Rejected, SourceKind
from cdrd.store.database import Database
from cdrd.store.reattributions import decide_again
from cdrd.store.sources import register_source, source_status

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class Watched:
    """A source that somebody reports of."""

    def __init__(self, database: Database, source: FileSource) -> None:
        self.database, self.source = database, source
        self.now = 0.0
        self.reporter = Reporter(
            "hq", clock=lambda: START + timedelta(seconds=self.now), watch=lambda: self.now
        )

    async def written(self) -> tuple[int | None, bool, str | None]:
        """Lag, whether it fails, and the last error, as they are written down after so long."""
        self.now += 1
        await self.reporter.write(self.database, self.source.source_id)
        [row] = await source_status(self.database)
        return row["lag_bytes"], row["failing_since"] is not None, row["last_error"]


async def test_what_changes_for_the_worse_or_the_better_is_written_at_once(
    database: Database,
) -> None:
    async with file_source(database, "hq") as source:
        watched = Watched(database, source)
        reporter = watched.reporter
        reporter.lags(10, read=0)
        assert await watched.written() == (10, False, None)
        reporter.lags(20, read=0)
        assert await watched.written() == (10, False, None)
        reporter.fails("collecting", "no permission")
        assert await watched.written() == (20, True, "no permission")
        reporter.fails("collecting", "no permission")
        reporter.fails("Master.csv", "is a folder")
        reporter.well("collecting")
        assert await watched.written() == (20, True, "is a folder")
        reporter.well("Master.csv")
        assert await watched.written() == (20, False, "is a folder")
        reporter.lags(0, read=30)
        watched.now += 5
        assert await watched.written() == (0, False, "is a folder")


async def test_a_source_is_collected_as_long_as_somebody_claims_it(
    database: Database, dsn: str, tmp_path: Path
) -> None:
    config = tmp_path / "cdrd.yaml"
    config.write_text(json.dumps({"database": {"dsn": dsn}}))

    async def status() -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, cli, ["-c", str(config), "status"], catch_exceptions=False
        )
        return result.stdout

    await register_source(database, name="pushed", kind=SourceKind.ASTERISK_CSV, pbx="branch")
    async with file_source(database, "hq") as source:
        rejected = Rejected(b"?", 11, 0, Reason.TOO_FEW_COLUMNS, "too few")
        await source.store(master_rows("main")[:10], [rejected])
        assert "hq (asterisk-csv, PBX hq): collecting" in await status()
    await decide_again(database, RE_ENRICH, [(AcctId(3), AcctId(5)), (AcctId(9), AcctId(9))])

    async def ended() -> str | None:
        said = await status()
        return said if "hq (asterisk-csv, PBX hq): not collected" in said else None

    told = await until(ended, "the source is not collected any more")

    assert "pushed (asterisk-csv, PBX branch): open" in told
    assert "records 11: legs 10, events 0, suspended 1, duplicates 0" in told
    assert "waiting for enrich: 10 legs," in told
    assert "waiting for re-enrich: 4 legs to be decided again," in told


async def test_the_database_refuses_counts_that_do_not_come_out_even(database: Database) -> None:
    constraints = await ask(
        database, "SELECT conname FROM pg_constraint WHERE conname LIKE '%accounts%' ORDER BY 1"
    )

    assert constraints == [
        ("position_accounts_for_every_record",),
        ("tally_accounts_for_every_record",),
    ]
