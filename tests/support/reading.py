"""What the reading tests need: legs that are already decided, a server on a real socket, a client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from cdrd.collect.forwarded import ForwardedSources
from cdrd.errors import NotFound
from cdrd.owners import Permission
from cdrd.records import AcctId, Attribution, Push, Receipt, UnattributedReason
from cdrd.serve.passwords import digest, hash_password, new_token
from cdrd.serve.stage import serve
from cdrd.settings import ServeSettings, ThrottleSettings
from cdrd.store.database import Database
from cdrd.store.principals import NewPrincipal, create_principal, create_token
from cdrd.store.work import Known
from support.legs import write_attributions

MORNING = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
"""Made once: a hash takes tens of milliseconds, and many tests need one."""


async def store_legs(
    database: Database, first: int, calldates: Iterable[datetime], **columns: Any
) -> int:
    """Legs from that acctid on, committed but not decided; returns the last acctid."""
    row = {
        "source_id": 1,
        "clid": '"Alice Archer" <101>',
        "src": "101",
        "dst": "102",
        "dcontext": "acme-internal",
        "channel": "PJSIP/acme-101-00000000",
        "dstchannel": "PJSIP/acme-102-00000001",
        "lastapp": "Dial",
        "lastdata": "PJSIP/acme-102,4,tTkK",
        "duration": 3,
        "billsec": 1,
        "disposition": "ANSWERED",
        "amaflags": 3,
        "accountcode": "acme",
        **columns,
    }
    records = [(acctid, at, *row.values()) for acctid, at in enumerate(calldates, first)]
    async with database.transaction() as connection:
        await connection.copy_records_to_table(
            "leg", columns=("acctid", "calldate", *row), records=records
        )
        await connection.execute(
            "UPDATE counter SET value = greatest(value, $1) WHERE name = 'acctid'", records[-1][0]
        )
    return int(records[-1][0])


async def store_attributions(database: Database, attributions: Sequence[Attribution]) -> None:
    """As the enrich stage writes them."""
    async with database.transaction() as connection:
        newest = max(attribution.acctid for attribution in attributions)
        await write_attributions(connection, attributions, Known(newest, 1))


def decided(acctid: int, **properties: Any) -> Attribution:
    """An attribution; without a company its reason is that nothing matches."""
    attribution = Attribution(AcctId(acctid), **properties)
    if attribution.company is None:
        return attribution._replace(reason=UnattributedReason.NO_MATCH)
    return attribution


async def store_work(database: Database, first: int, last: int, *, age: float = 0) -> None:
    """Legs that wait for the enrich stage since so many seconds."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO work (stage, first_acctid, last_acctid, stored_at)"
            " VALUES ('enrich', $1, $2, now() - $3::interval)",
            first,
            last,
            timedelta(seconds=age),
        )


async def finish_work(database: Database, first: int) -> None:
    """They wait no more."""
    async with database.connection() as connection:
        await connection.execute("DELETE FROM work WHERE first_acctid = $1", first)


async def decided_legs(database: Database, count: int, **properties: Any) -> int:
    """So many legs from acctid 1 on, a second apart, all decided the same way; returns the last acctid."""
    last = await store_legs(database, 1, (MORNING + timedelta(seconds=n) for n in range(count)))
    await store_attributions(
        database,
        [decided(acctid, **{"company": "acme", **properties}) for acctid in range(1, last + 1)],
    )
    return last


async def many_legs(database: Database, count: int, *, first: int = 1) -> None:
    """Legs ten seconds apart, each fiftieth five hours late and one of a PBX with a broken clock."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO leg (acctid, source_id, calldate, clid, src, dst, dcontext, channel, dstchannel,"
            " lastapp, lastdata, duration, billsec, disposition, amaflags, accountcode)"
            " SELECT n, 1, CASE WHEN n = 12345 THEN '2038-01-19' ELSE timestamptz '2026-01-01'"
            " + n * interval '10 s' - CASE WHEN n % 50 = 0 THEN interval '5 h' ELSE interval '0' END END,"
            " '', n::text, '', '', '', '', '', '', 0, 0, 'BUSY', 3, ''"
            " FROM generate_series($1::bigint, $2::bigint) AS n",
            first,
            first + count - 1,
        )
        await connection.execute(
            "INSERT INTO attribution (acctid, company, is_ivr, is_park, is_pick, is_auth, is_bounce,"
            " rule_set_id, directory_version, seen_acctid, revision)"
            " SELECT n, CASE WHEN n % 1000 = 7 THEN 'rare' ELSE 'acme' END,"
            " false, false, false, false, false, 1, 1, n, n"
            " FROM generate_series($1::bigint, $2::bigint) AS n",
            first,
            first + count - 1,
        )
        await connection.execute(
            "UPDATE counter SET value = $1 WHERE name = 'acctid'", first + count - 1
        )


async def add_user(
    database: Database,
    login: str,
    *,
    companies: Sequence[str] | None = None,
    permissions: Sequence[Permission] = (Permission.BILLING_CALL_SUMMARY,),
) -> str:
    """A user with PASSWORD, and a token of theirs."""
    await create_principal(
        database, NewPrincipal(login, login.title(), _HASH, permissions, companies)
    )
    token = new_token()
    await create_token(database, login, digest=digest(token), label="", life=None)
    return token


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Any
    text: str
    json: Any = None

    @property
    def acctids(self) -> list[int]:
        return [row["acctid"] for row in self.json["values"]]


@dataclass
class Served:
    """A running server and a client of it."""

    url: str
    client: aiohttp.ClientSession
    stopping: asyncio.Event
    beats: list[None] = field(default_factory=list)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request; `token` becomes a header."""
        token = options.pop("token", None)
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.client.request(
            method, self.url + path, headers=headers, **options
        ) as response:
            answer = Answer(response.status, response.headers.copy(), await response.text())
            if response.content_type == "application/json" and answer.text:
                answer.json = await response.json()
            return answer

    async def read(self, token: str, **scope: Any) -> Answer:
        """POST /rest/call/read."""
        body = {"type": "cdr", "scope": scope}
        return await self.ask("POST", "/rest/call/read", json=body, token=token)


async def _nothing_to_push_to(source: str, _: Push) -> Receipt:
    raise NotFound(source)


@asynccontextmanager
async def serving(
    database: Database, *, readiness: Callable[[], Sequence[str]] = list, **settings: Any
) -> AsyncIterator[Served]:
    """The server on a free port, and its end."""
    settings.setdefault("throttle", ThrottleSettings())
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stopping = asyncio.Event()
    beats: list[None] = []
    stage = asyncio.create_task(
        serve(
            ServeSettings(port=0).model_copy(update=settings),
            database=database,
            readiness=readiness,
            beat=lambda: beats.append(None),
            stopping=stopping,
            listening=url.set_result,
            receive=_nothing_to_push_to,
            forwards=ForwardedSources(list),
        )
    )
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address, not only of a name
    async with aiohttp.ClientSession(cookie_jar=jar) as client:
        either: list[asyncio.Future[Any]] = [stage, url]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if stage.done():
            await stage
        try:
            yield Served(url.result(), client, stopping, beats)
        finally:
            stopping.set()
            with contextlib.suppress(asyncio.CancelledError):
                await stage
