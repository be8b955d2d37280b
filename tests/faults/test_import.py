"""The database goes away while a carrier's file is imported: that is said, and the next import goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.carriers import Office, bill
from support.postgres import kill_server, own_server
from support.sources import every_record_is_accounted_for
from support.waiting import DEADLINE, wait_until

ROWS = 20_000


def test_an_import_goes_on_after_the_database_was_killed(tmp_path: Path) -> None:
    with own_server() as (server, dsn):
        office = Office(tmp_path, dsn)
        assert office.run("migrate").exit_code == 0
        path = office.write("july.csv", bill(0, ROWS))
        command = [sys.executable, "-m", "cdrd", "-c", str(office.config), "import", str(path)]
        process = subprocess.Popen(
            [*command, "--carrier", "alpha"],
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: office.count() > 0, what="rows")
        kill_server(server)
        _, words = process.communicate(timeout=DEADLINE)

        assert process.returncode == 69
        assert words.startswith("cdrd: the database does not answer")
        assert "Traceback" not in words

        server.ensure_postgres_running()
        stored = office.count()
        assert 0 < stored < ROWS
        assert f"file 1: {ROWS - stored} rows stored" in office.load(path).output
        assert office.ask("SELECT count(*), count(DISTINCT called) FROM carrier_row") == [
            (ROWS, ROWS)
        ]
        assert every_record_is_accounted_for(dsn)
