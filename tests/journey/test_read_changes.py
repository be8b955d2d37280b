"""Settled calls, and what became otherwise after it was served."""

from __future__ import annotations

import asyncio
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from support.legs import write_attributions
from support.reading import (
    MORNING,
    add_user,
    decided,
    decided_legs,
    serving,
    store_attributions,
    store_legs,
    store_work,
)
from support.waiting import until_blocked

from cdrd.records import AcctId, Attribution
from cdrd.store import feed
from cdrd.store.database import Database
from cdrd.store.work import Known

CONTRACT = json.loads(Path(__file__).with_name("raw_contract.json").read_text())


async def decide_again(database: Database, *attributions: Attribution, version: int = 2) -> None:
    """As the stage does when it knows more."""
    async with database.transaction() as connection:
        await write_attributions(connection, attributions, Known(AcctId(1000), version))


async def hold(database: Database, acctid: int) -> None:
    """A call from that leg on that is not settled."""
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO call (call_id, pbx, linkedid, linkedids, acctids, roles, end_reasons, started,"
            " talk_seconds, status_code, confidence, rule_set_id, events, settles_at, settles_by, holds_from,"
            " directory_version, seen_acctid, seen_event_id, revision) VALUES ($1::bigint, '', '', '{}',"
            " ARRAY[$1::bigint], '{answered}', '{NULL}', now(), 0, 0, 'records', 1, 0, now(),"
            " 'quiet', $1::bigint, 1, 1, 0, 1)",
            acctid,
        )


async def release(database: Database, acctid: int) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE call SET settled_by = 'quiet', holds_from = NULL WHERE call_id = $1", acctid
        )


async def test_many_changes_go_out_at_the_pace_of_their_reader(database: Database) -> None:
    """What is not taken yet counts as being read, and nobody waits while it is compressed."""
    last = await store_legs(database, 1, [MORNING] * 600, lastdata="x" * 2000)
    for company in ("acme", "globex"):
        every = [decided(acctid, company=company) for acctid in range(1, last + 1)]
        await decide_again(database, *every)
    token = await add_user(database, "biller")
    async with serving(database) as served:
        for coding in ("identity", "gzip"):
            answer = await served.ask(
                "GET",
                "/rest/call/read",
                params={"sinceRevision": "0", "maxRows": "600"},
                headers={"Accept-Encoding": coding},
                token=token,
            )
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert answer.acctids == list(range(1, last + 1))
            assert answer.json["more"] is False


async def test_settled_reading_never_passes_a_call_that_is_not_settled(database: Database) -> None:
    await decided_legs(database, 6)
    await hold(database, 3)
    everybody = await add_user(database, "everybody")
    acme = await add_user(database, "acme", companies=["acme"])
    async with serving(database) as served:
        for token in (everybody, acme):
            assert (await served.read(token)).acctids == [1, 2, 3, 4, 5, 6]
            assert (await served.read(token, settled=True)).acctids == [1, 2]
            assert (await served.read(token, settled=True, minID=3)).acctids == []
            query = "/rest/call/read?settled=true&minID=2"
            assert (await served.ask("GET", query, token=token)).acctids == [2]
        await release(database, 3)
        assert (await served.read(acme, settled=True, minID=3)).acctids == [3, 4, 5, 6]


async def test_settled_reading_has_no_deadline(database: Database) -> None:
    await store_legs(database, 1, [MORNING] * 3)
    await store_attributions(database, [decided(1), decided(3)])
    await store_work(database, 2, 2, age=3600)
    everybody = await add_user(database, "everybody")
    async with serving(database) as served:
        assert (await served.read(everybody)).acctids == [1, 2, 3]
        assert (await served.read(everybody, settled=True)).acctids == [1]


async def test_changes_are_what_became_otherwise_and_nothing_else(database: Database) -> None:
    """In the order in which they became so, each as it is now."""
    await decided_legs(database, 5)
    everybody = await add_user(database, "everybody")
    async with serving(database) as served:
        first = await served.read(everybody, sinceRevision=0)
        assert list(first.json) == CONTRACT["changes"]
        assert first.json | {"revision": None} == {
            "result": "success",
            "sinceRevision": 0,
            "maxRows": 500,
            "revision": None,
            "more": False,
            "next": {"sinceRevision": first.json["revision"], "maxRows": 500},
            "withdrawn": [],
            "values": [],
            "numrows": 0,
            "numRows": 0,
        }
        await decide_again(database, decided(4, company="acme", trunk="carrier"))
        await decide_again(
            database,
            decided(1, company="acme"),
            decided(2, company="globex"),
            decided(4, company="acme", trunk="other"),
        )
        changed = await served.read(everybody, sinceRevision=first.json["revision"])
        assert changed.acctids == [2, 4]
        assert list(changed.json["values"][0]) == CONTRACT["fields"]
        assert [row["properties"] for row in changed.json["values"]] == [
            {"company": "globex"},
            {"company": "acme", "trunk": "other"},
        ]
        after = await served.read(everybody, sinceRevision=changed.json["revision"])
        assert (after.acctids, after.json["revision"]) == ([], changed.json["revision"])


async def test_changes_come_in_pages_of_any_size(database: Database) -> None:
    await decided_legs(database, 40)
    await decide_again(database, *(decided(n, company="globex") for n in range(40, 0, -1)))
    everybody = await add_user(database, "everybody")
    globex = await add_user(database, "globex", companies=["globex"])
    acme = await add_user(database, "acme", companies=["acme"])
    async with serving(database) as served:
        for most in (1, 7, 40, 41):
            for token in (everybody, globex):
                told = await all_changes(served, token, maxRows=most)
                assert told == (list(range(40, 0, -1)), [])
            assert await all_changes(served, acme, maxRows=most) == ([], list(range(1, 41)))


async def test_what_a_reader_has_lost_is_told_before_whatever_changed_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row may come back meanwhile: it is not in the answer that says that it is gone."""
    monkeypatch.setattr(feed, "SLICE", 10)
    await decided_legs(database, feed.SLICE + 1)
    lost = range(1, feed.SLICE + 1)
    await decide_again(database, *(decided(n, company="globex") for n in lost))
    await decide_again(database, decided(feed.SLICE + 1, company="acme", trunk="carrier"))
    acme = await add_user(database, "acme", companies=["acme"])
    async with serving(database) as served:
        gone = await served.read(acme, sinceRevision=0)
        assert (gone.acctids, gone.json["withdrawn"]) == ([], list(lost))
        assert gone.json["more"] is True
        after = await served.read(acme, sinceRevision=gone.json["revision"])
        assert (after.acctids, after.json["withdrawn"]) == ([feed.SLICE + 1], [])


async def all_changes(served: Any, token: str, **scope: Any) -> tuple[list[int], list[int]]:
    """Rows and withdrawn rows, page after page, until there are no more."""
    rows: list[int] = []
    withdrawn: list[int] = []
    revision, more = 0, True
    while more:
        answer = await served.read(token, sinceRevision=revision, **scope)
        rows += answer.acctids
        withdrawn += answer.json["withdrawn"]
        revision, more = answer.json["revision"], answer.json["more"]
    return rows, withdrawn


async def test_one_question_asks_for_what_changed_and_for_what_is_new(database: Database) -> None:
    """No row is in both: one that changed before it is new to the reader comes as it is."""
    await decided_legs(database, 6)
    await decide_again(database, *(decided(n, company="globex") for n in (5, 2, 3)))
    await hold(database, 6)
    everybody = await add_user(database, "everybody")
    async with serving(database) as served:
        told = await served.read(everybody, minID=3, sinceRevision=0, settled=True, maxRows=3)
        assert list(told.json) == CONTRACT["changes"]
        assert told.acctids == [2, 3, 4]
        revision = told.json["revision"]
        following = {"minID": 5, "sinceRevision": revision, "maxRows": 3, "settled": True}
        assert (told.json["next"], told.json["more"]) == (following, True)

        await decide_again(database, decided(1, company="globex"), version=3)
        told = await served.read(everybody, **told.json["next"])
        assert told.acctids == [1, 5]
        assert {row["properties"]["company"] for row in told.json["values"]} == {"globex"}
        assert (told.json["next"]["minID"], told.json["more"]) == (6, False)

        told = await served.read(everybody, **told.json["next"])
        assert (told.acctids, told.json["next"]["minID"]) == ([], 6)


async def test_whoever_goes_on_as_told_has_everything_in_pages_of_any_size(
    database: Database,
) -> None:
    await decided_legs(database, 40)
    tokens = {
        name: await add_user(database, name, companies=companies)
        for name, companies in (("everybody", None), ("acme", ["acme"]), ("globex", ["globex"]))
    }
    async with serving(database) as served:
        copies: dict[tuple[str, int], dict[int, str]] = {}
        scopes: dict[tuple[str, int], dict[str, int]] = {}
        for version, company in ((2, "globex"), (3, "acme"), (4, "globex")):
            for name, most in product(tokens, (1, 7, 40, 41)):
                scope = scopes.get((name, most), {"minID": 1, "sinceRevision": 0, "maxRows": most})
                copy = copies.setdefault((name, most), {})
                scopes[name, most] = await follow(served, tokens[name], scope, copy)
                wanted = await served.read(tokens[name])
                assert copy == {row["acctid"]: company_of(row) for row in wanted.json["values"]}
            moved = (
                decided(n, company=company) for n in range(41 - 10 * version, 41 - 5 * version)
            )
            await decide_again(database, *moved, version=version)


def company_of(row: dict[str, Any]) -> str:
    return str(row["properties"]["company"])


async def follow(
    served: Any, token: str, scope: dict[str, int], copy: dict[int, str]
) -> dict[str, int]:
    """Keeps a copy as the documentation says, until there is no more; the scope to go on with."""
    more = True
    while more:
        answer = await served.read(token, **scope)
        copy.update({row["acctid"]: company_of(row) for row in answer.json["values"]})
        for acctid in answer.json["withdrawn"]:
            copy.pop(acctid, None)
        scope, more = answer.json["next"], answer.json["more"]
    return scope


async def test_who_loses_a_row_is_told_its_number_and_nothing_more(database: Database) -> None:
    """Not where it went; and whoever still sees it by another company gets the row."""
    await decided_legs(database, 4, target="acme", bill_to="acme")
    tokens = {
        name: await add_user(database, name, companies=name.split("-"))
        for name in ("acme", "globex", "acme-globex", "other")
    }
    globex = {"company": "globex", "target": "globex", "bill_to": "globex"}
    await decide_again(
        database, decided(1, **globex), decided(2, **globex | {"bill_to": "acme"}), version=2
    )
    await decide_again(database, decided(3, **globex), version=2)
    await decide_again(database, decided(3, company="acme", bill_to="acme"), version=3)
    told = {}
    async with serving(database) as served:
        for name, token in tokens.items():
            answer = await served.read(token, sinceRevision=0)
            told[name] = (answer.acctids, answer.json["withdrawn"])
            if name == "acme":
                assert "globex" not in json.dumps(answer.json["withdrawn"])

    assert told == {
        "acme": ([2, 3], [1]),
        "globex": ([1, 2], [3]),
        "acme-globex": ([1, 2, 3], []),
        "other": ([], []),
    }


async def test_what_was_not_served_yet_is_no_change(database: Database) -> None:
    """It is served later as it is then."""
    await decided_legs(database, 4)
    await hold(database, 3)
    await decide_again(database, *(decided(n, company="globex") for n in (1, 4)))
    everybody = await add_user(database, "everybody")
    async with serving(database) as served:
        assert (await served.read(everybody, sinceRevision=0)).acctids == [1, 4]
        changed = await served.read(everybody, sinceRevision=0, settled=True)
        assert changed.acctids == [1]
        await release(database, 3)
        assert (await served.read(everybody, minID=3, settled=True)).acctids == [3, 4]
        again = await served.read(everybody, sinceRevision=changed.json["revision"], settled=True)
        assert again.acctids == []


async def test_a_leg_that_is_decided_after_it_was_served_has_changed(database: Database) -> None:
    """Of those that had waited so long that they may have been served without."""
    await store_legs(database, 1, [MORNING] * 2)
    everybody = await add_user(database, "everybody")
    async with database.transaction() as connection:
        late = Known(AcctId(2), 1, late=True)
        await write_attributions(connection, [decided(1, company="acme")], late)
        await write_attributions(connection, [decided(2, company="acme")], Known(AcctId(2), 1))
    async with serving(database) as served:
        assert (await served.read(everybody, sinceRevision=0)).acctids == [1]


async def test_no_change_is_missed_while_writers_commit_in_any_order(database: Database) -> None:
    """One writer stalls inside its transaction; the revisions of others wait for it."""
    await decided_legs(database, 2)
    everybody = await add_user(database, "everybody")
    async with serving(database) as served:
        async with database.transaction() as slow:
            await write_attributions(slow, [decided(1, company="globex")], Known(AcctId(9), 2))
            faster = asyncio.create_task(decide_again(database, decided(2, company="globex")))
            before = await served.read(everybody, sinceRevision=0)
            assert before.acctids == []
            await until_blocked(database)
        await faster
        after = await served.read(everybody, sinceRevision=before.json["revision"])

    assert after.acctids == [1, 2]
