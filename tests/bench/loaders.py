"""Other programs that bring lines of a file into PostgreSQL, each with settings of its own in a folder."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.programs import Look, psql, run
from support.waiting import DEADLINE

_RSYSLOG = """
global(workDirectory="{folder}")
module(load="imfile")
module(load="ompgsql")
template(name="line" type="list" option.stdsql="on") {{
    constant(value="INSERT INTO line (raw) VALUES ('")
    property(name="msg")
    constant(value="')")
}}
ruleset(name="lines" queue.type="LinkedList" queue.size="100000" queue.dequeueBatchSize="5000") {{
    action(type="ompgsql" conninfo="{dsn}" template="line")
}}
input(type="imfile" File="{path}" Tag="cdr" ruleset="lines")
"""

_PGLOADER = """
LOAD CSV
    FROM '{path}' (
        accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata,
        start [null if blanks], answer [null if blanks], "end" [null if blanks],
        duration, billsec, disposition, amaflags, uniqueid, userfield
    )
    INTO postgresql://{user}@unix:{host}:{port}/{database}
    TARGET TABLE loaded
    TARGET COLUMNS (
        accountcode, src, dst, dcontext, clid, channel, dstchannel, lastapp, lastdata, start, answer,
        "end", duration, billsec, disposition, amaflags, uniqueid, userfield
    )
    WITH
        fields optionally enclosed by '"', fields escaped by double-quote, fields terminated by ',',
        batch rows = 10000, prefetch rows = 50000
    SET timezone TO 'America/New_York';
"""

_LOADED = """
CREATE TABLE loaded (
    accountcode text, src text, dst text, dcontext text, clid text, channel text, dstchannel text,
    lastapp text, lastdata text, start timestamptz, answer timestamptz, "end" timestamptz,
    duration integer, billsec integer, disposition text, amaflags text, uniqueid text, userfield text,
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
)
"""


def rsyslog(dsn: str, path: Path, count: int, folder: Path) -> float:
    """With rsyslog's imfile and ompgsql: raw lines, no types, no index but the key. Seconds."""
    psql(dsn, "CREATE TABLE line (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, raw text)")
    config, pid = folder / "rsyslog.conf", folder / "rsyslog.pid"
    config.write_text(_RSYSLOG.format(folder=folder, dsn=dsn, path=path))
    with Look(dsn) as look:
        look.checkpoint()
        started = time.perf_counter()
        process = subprocess.Popen(["rsyslogd", "-n", "-f", str(config), "-i", str(pid)])
        try:
            ended = look.wait("SELECT max(id) FROM line", count)
        finally:
            process.terminate()
            process.wait(timeout=DEADLINE)
        assert look.value("SELECT count(*) FROM line") == count
    return ended - started


def pgloader(dsn: str, path: Path, count: int, folder: Path) -> float:
    """With pgloader: the 18 columns with types and the same indexes, no partitions. Seconds."""
    psql(
        dsn,
        _LOADED,
        "CREATE INDEX ON loaded USING brin (start)",
        "CREATE INDEX ON loaded (uniqueid)",
    )
    url = urlsplit(dsn)
    command = folder / "pgloader.load"
    command.write_text(
        _PGLOADER.format(
            path=path,
            user=url.username,
            host=parse_qs(url.query).get("host", [url.hostname])[0],
            port=url.port or 5432,
            database=url.path.lstrip("/"),
        )
    )
    with Look(dsn) as look:
        look.checkpoint()
        started = time.perf_counter()
        done = run("pgloader", "--root-dir", str(folder), str(command))
        ended = time.perf_counter()
        stored = look.value("SELECT count(*) FROM loaded")
        assert stored == count, done.stdout[-2000:]
    return ended - started
