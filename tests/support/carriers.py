"""A carrier's files, its settings, and what the database has of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from click.testing import Result

from cdrd.store.database import Database
from support.commands import Commands
from support.sources import ask

MAPPING: dict[str, Any] = {
    "columns": {
        "carrier_call_id": "ID",
        "date": "Start",
        "caller": "From",
        "called": "To",
        "duration": "Seconds",
        "cost": "Cost",
        "charge_band": "Band",
    },
    "currency": "GBP",
    "zone": "Europe/London",
}
HEADER = "ID,Start,From,To,Seconds,Cost,Band\n"


def carrier_row(number: int) -> str:
    """A row like no other one."""
    return f"x{number},2026-07-01 13:24:47,01632960111,+3314567{number:06},61,0.0250,FR-FIX\n"


def bill(first: int, last: int) -> str:
    """A file of the carrier."""
    return HEADER + "".join(carrier_row(number) for number in range(first, last))


class Office:
    """A folder with settings, a carrier `alpha` in them, and files of it."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.folder = folder
        self.dsn = dsn
        self.config = folder / "cdrd.yaml"
        self.carriers = folder / "carriers"
        self.carriers.mkdir()
        self.know("alpha", MAPPING)
        self.settle()

    def settle(self, **more: Any) -> None:
        """Writes the settings; JSON is YAML."""
        collect = {"carriers": str(self.carriers), "batch_bytes": "4096"}
        settings = {"database": {"dsn": self.dsn}, "collect": collect, **more}
        self.config.write_text(json.dumps(settings))

    def know(self, carrier: str, mapping: dict[str, Any]) -> None:
        (self.carriers / f"{carrier}.yaml").write_text(json.dumps(mapping))

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def run(self, *words: str | Path) -> Result:
        """A command of cdrd."""
        return Commands(self.config)(*map(str, words))

    def load(self, *files: Path, carrier: str = "alpha") -> Result:
        """`cdrd import`."""
        return self.run("import", *files, "--carrier", carrier)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a question to the database."""

        async def work() -> list[tuple[Any, ...]]:
            async with Database(self.dsn) as database:
                found: list[tuple[Any, ...]] = await ask(database, sql)
                return found

        return asyncio.run(work())

    def count(self) -> int:
        """Of carrier rows."""
        [[count]] = self.ask("SELECT count(*) FROM carrier_row")
        return int(count)

    def states(self) -> list[str]:
        """Of the files, in the order they came."""
        return [str(state) for (state,) in self.ask("SELECT state FROM file ORDER BY file_id")]
