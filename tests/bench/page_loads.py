"""The same page again and again: over HTTP, and by pgbench that runs the very same statements."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.programs import postgresql_program, run
from bench.reader import PATH, headers, pages_read_in, question

from cdrd.store.statements import Statement, statement

SECONDS = 4
ROWS = 500


def _wrk_script(token: str, first: int) -> str:
    """What wrk asks for, in its own language."""
    lines = ['wrk.method = "POST"', f"wrk.body = [[{question(first, ROWS)}]]"]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers(token).items()]
    return "\n".join(lines)


def pages_over_http(url: str, token: str, first: int, connections: int, folder: Path) -> float:
    """Pages a second, by wrk where it is installed."""
    if shutil.which("wrk"):
        return _by_wrk(url, token, first, connections, folder)
    return _by_python(url, token, first, connections)


def _by_wrk(url: str, token: str, first: int, connections: int, folder: Path) -> float:
    script = folder / "page.lua"
    script.write_text(_wrk_script(token, first))
    words = ("-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), url + PATH)
    said = run("wrk", *words).stdout
    assert "Non-2xx" not in said, said
    match = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert match, said
    return float(match[1])


def _by_python(url: str, token: str, first: int, connections: int) -> float:
    """A process a connection."""
    with ProcessPoolExecutor(connections, mp_context=get_context("spawn")) as pool:
        clients = [
            pool.submit(pages_read_in, url, token, first, SECONDS) for _ in range(connections)
        ]
        return sum(client.result() for client in clients) / SECONDS


def _prepared(name: str, wanted: Statement, types: dict[str, str]) -> str:
    """PREPARE of one of our statements, as the driver does it once a connection."""
    words = ", ".join(types[parameter] for parameter in wanted.parameters)
    text = wanted.sql.strip().removesuffix(";").replace("\n", " ")
    return f"PREPARE {name} ({words}) AS {text};"


def _pgbench_script(first: int, upto: int) -> str:
    """One transaction: what the server asks the database for one page."""
    horizon = _prepared("horizon", statement("horizon"), {"stage": "text", "deadline": "interval"})
    types = {
        "companies": "text[]",
        "first": "bigint",
        "upto": "bigint",
        "min_date": "timestamptz",
        "max_date": "timestamptz",
        "most": "bigint",
    }
    values = {"first": first, "upto": upto, "most": ROWS}
    page = statement("raw_page")
    arguments = ", ".join(str(values.get(parameter, "NULL")) for parameter in page.parameters)
    return "\n".join(
        (
            r"\if :prepared = 0",
            horizon,
            _prepared("page", page, types),
            r"\set prepared 1",
            r"\endif",
            "EXECUTE horizon('enrich', '10 seconds');",
            f"EXECUTE page({arguments});",
        )
    )


def pages_by_pgbench(dsn: str, first: int, upto: int, connections: int, folder: Path) -> float:
    """Pages a second."""
    script = folder / "page.pgbench"
    script.write_text(_pgbench_script(first, upto))
    words = ("-n", "-T", str(SECONDS), "-c", str(connections), "-j", "1", "-D", "prepared=0")
    said = run(postgresql_program("pgbench"), *words, "-f", str(script), dsn).stdout
    match = re.search(r"tps = ([\d.]+)", said)
    assert match, said
    return float(match[1])
