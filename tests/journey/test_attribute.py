"""`cdrd attribute`: what is stored is decided again while the daemon runs and pollers poll."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.daemon import DaemonProcess, Poller, cdrd
from support.sources import ask
from support.waiting import wait_until

from cdrd.enrich.redeciding import decide_stored_again
from cdrd.errors import Unavailable
from cdrd.records import AcctId
from cdrd.store.database import Database

MARCH = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
MOVED = "2026-04-01"
COMPANIES = """
dialling: {{country_code: "44", national_prefix: "0"}}
trunks: [PJSIP/carrier]
companies:
  acme:
    dids: ["01908555100", {{number: "01908555120", until: {moved}}}]
  globex:
    dids: [{{number: "01908555120", from: {moved}}}]
"""


def call_in(number: int, at: datetime, dialled: str) -> bytes:
    """A call from outside that was answered by an announcement."""
    began = f"{at:%F %T}"
    return (
        f'"","07700900123","{dialled}","from-carrier","07700900123","PJSIP/carrier-{number:08x}","",'
        f'"Playback","welcome","{began}","{began}","{at + timedelta(seconds=9):%F %T}",9,9,"ANSWERED",'
        f'"DOCUMENTATION","{at.timestamp():.0f}.{number}",""\n'
    ).encode()


class Site:
    """A daemon with two companies, and calls of sixty days to the number that moves and to another."""

    def __init__(self, folder: Path, dsn: str) -> None:
        self.companies = folder / "companies.yaml"
        self.master = folder / "Master.csv"
        self.say(MOVED)
        source = {"name": "hq", "kind": "asterisk-csv", "path": str(self.master)}
        more = {"enrich": {"companies": str(self.companies)}}
        self.daemon = DaemonProcess(folder, dsn, [source], more=more)
        self.daemon.write_config()
        self.calls: list[tuple[datetime, str]] = []
        self.dsn = dsn

    def say(self, moved: str) -> None:
        self.companies.write_text(COMPANIES.format(moved=moved))

    def ring(self, count: int) -> None:
        """So many calls more, spread over sixty days."""
        new = [
            (
                MARCH + timedelta(minutes=86400 * n // count),
                "01908555120" if n % 3 else "01908555100",
            )
            for n in range(count)
        ]
        first = len(self.calls)
        with self.master.open("ab") as file:
            file.writelines(call_in(n, *call) for n, call in enumerate(new, first))
        self.calls += new

    def owners(self, moved: str) -> list[str]:
        """Whose each call is when the number moved that day."""
        day = datetime.fromisoformat(moved).replace(tzinfo=UTC)
        return [
            "globex" if dialled == "01908555120" and at >= day else "acme"
            for at, dialled in self.calls
        ]

    def command(self, *words: str, answer: str = "") -> subprocess.CompletedProcess[str]:
        return cdrd("-c", str(self.daemon.config), *words, input=answer)

    def apply(self, moved: str) -> None:
        self.say(moved)
        done = self.command("directory", "apply", "--yes")
        assert done.returncode == 0, done.stderr

    def stored(self, column: str) -> list[object]:
        """A column of every decision, in the order of acctid."""

        async def asked() -> list[object]:
            async with Database(self.dsn) as database:
                rows = await ask(database, f"SELECT {column} FROM attribution ORDER BY acctid")  # noqa: S608 - a column's name
                return [row[0] for row in rows]

        return asyncio.run(asked())

    def poller(self) -> Poller:
        return Poller(self.daemon)


@pytest.fixture
def site(tmp_path: Path, dsn: str) -> Iterator[Site]:
    site = Site(tmp_path, dsn)
    site.daemon.add_reader()
    site.daemon.start()
    yield site
    site.daemon.stop()


def companies_of(poller: Poller) -> list[str | None]:
    return [row["properties"].get("company") for row in poller.rows]


def test_a_correction_is_shown_and_then_applied_while_somebody_polls(site: Site) -> None:
    site.ring(300)
    before = site.poller()
    before.poll_until(300)
    # by the date that was given first: calls before it are the old company's
    assert companies_of(before) == site.owners(MOVED)
    assert set(companies_of(before)) == {"acme", "globex"}

    site.apply("2026-03-16")
    decided, revisions = site.stored("company"), site.stored("revision")
    changing = sum(old != new for old, new in zip(decided, site.owners("2026-03-16"), strict=True))
    told = site.command("attribute", "--since", "2026-03-01", "--dry-run")
    assert (told.returncode, told.stderr) == (0, "")
    lines = [line.split() for line in told.stdout.splitlines()]
    assert lines[0][:2] == ["300", "legs"]
    assert ["company", "acme", "globex", str(changing), str(changing)] in [
        line[:5] for line in lines
    ]
    assert told.stdout.endswith(f"{changing} legs of {changing} calls change\n")
    assert (site.stored("company"), site.stored("revision")) == (decided, revisions)

    heard = site.daemon.read(sinceRevision=0)["revision"]
    with polling(site) as pollers:
        done = site.command("attribute", "--since", "2026-03-01", "--yes")
        site.ring(60)
        for poller in pollers:
            wait_until(lambda poller=poller: len(poller.rows) == 360, what="every row was polled")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "done")
    assert site.stored("company") == site.owners("2026-03-16")
    moved = [old != new for old, new in zip(revisions, site.stored("revision"), strict=False)]
    assert moved == [
        old != new for old, new in zip(decided, site.owners("2026-03-16"), strict=False)
    ]
    for poller in pollers:
        assert poller.acctids == list(range(1, 361))
        # each row as it was or as it is, never anything else
        either = zip(site.owners(MOVED), site.owners("2026-03-16"), strict=True)
        for company, owners in zip(companies_of(poller), either, strict=True):
            assert company in owners
    # whoever has read them before is told of those that changed, and of no other
    told_of = site.daemon.read(sinceRevision=heard)["values"]
    assert sorted(row["acctid"] for row in told_of) == [
        acctid for acctid, has_moved in enumerate(moved, 1) if has_moved
    ]
    assert {row["properties"]["company"] for row in told_of} == {"globex"}
    again = site.command("attribute", "--since", "2026-03-01", "--yes")
    assert again.stdout.endswith("nothing changes\n")


@contextmanager
def polling(site: Site) -> Iterator[list[Poller]]:
    """Pollers that begin at the first row, one after the other, and go on until the block ends."""
    pollers = [site.poller() for _ in range(3)]
    stopping = threading.Event()

    def poll(poller: Poller) -> None:
        while not stopping.is_set():
            poller.poll(most=7)

    threads = [threading.Thread(target=poll, args=(poller,)) for poller in pollers]
    for thread in threads:
        thread.start()
    try:
        yield pollers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def test_only_the_time_and_the_company_that_are_asked_about_change(site: Site) -> None:
    site.ring(120)
    site.poller().poll_until(120)
    site.apply("2026-03-11")
    old, new = site.owners(MOVED), site.owners("2026-03-11")

    told = site.command("attribute", "--since", "2026-03-01", "--company", "initech", "--yes")
    assert (told.returncode, told.stderr[:33]) == (1, "cdrd: there never was a company i")
    told = site.command("attribute", "--since", "2026-03-15", "--until", "2026-03-15")
    assert told.returncode == 2
    assert "--until is not after --since" in told.stderr

    period = ("--since", "2026-03-15", "--until", "2026-03-20T12:00:00+02:00")
    told = site.command("attribute", *period, "--company", "globex", "--yes")
    assert told.returncode == 0, told.stderr
    until = datetime(2026, 3, 20, 10, tzinfo=UTC)
    expected = [
        new[n] if datetime(2026, 3, 15, tzinfo=UTC) <= at < until else old[n]
        for n, (at, _) in enumerate(site.calls)
    ]
    assert expected not in (old, new)
    assert site.stored("company") == expected

    assert site.command("attribute", "--since", "2026-03-01", answer="n\n").returncode == 1
    assert site.stored("company") == expected


def test_killed_in_the_middle_it_is_run_again(site: Site) -> None:
    site.ring(2000)
    site.poller().poll_until(2000)
    for seen, moved in (("legs since", "2026-03-06"), ("calls change", "2026-03-21")):
        site.apply(moved)
        words = ("-c", str(site.daemon.config), "attribute", "--since", "2026-03-01", "--yes")
        process = subprocess.Popen(
            [sys.executable, "-m", "cdrd", *words], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert any(seen in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert set(site.stored("company")) <= {"acme", "globex"}

        told = site.command("attribute", "--since", "2026-03-01", "--yes")
        assert told.returncode == 0, told.stderr
        wait_until(
            lambda moved=moved: site.stored("company") == site.owners(moved), what="all are decided"
        )


def test_where_nobody_decides_it_says_so_and_what_waits_is_done_later(site: Site) -> None:
    site.ring(30)
    site.poller().poll_until(30)
    site.apply("2026-03-06")
    site.daemon.stop()

    async def hopeless() -> str:
        async with Database(site.dsn) as database:
            with pytest.raises(Unavailable) as raised:
                await decide_stored_again(
                    database, [AcctId(n) for n in range(1, 31)], lambda _: None, patience=0
                )
        return str(raised.value)

    assert asyncio.run(hopeless()) == "30 legs wait to be decided again, and nobody does it"
    site.daemon.start()
    wait_until(lambda: site.stored("company") == site.owners("2026-03-06"), what="all are decided")
