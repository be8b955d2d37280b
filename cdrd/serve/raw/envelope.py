"""The answers of the raw CDR dialect, as its clients know them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from cdrd.owners import Principal
from cdrd.serve.raw.request import ReadRequest
from cdrd.serve.refusal import Refusal
from cdrd.store.feed import Changes, Page


def failure(refusal: Refusal) -> dict[str, Any]:
    """`retry` is for what the same request may get later, `fail` for what it will never get."""
    return {"result": "retry" if refusal.again else "fail", "message": refusal.message}


def head(asked: ReadRequest) -> bytes:
    """What comes before the rows. minID is what was asked for, null where nothing was."""
    first = json.dumps(asked.first)
    return f'{{"result":"success","minID":{first},"maxRows":{asked.most},"values":['.encode()


def tail(count: int) -> bytes:
    """What comes after the rows; the documents of this dialect spell the count both ways."""
    return f'],"numrows":{count},"numRows":{count}}}'.encode()


def whole(asked: ReadRequest, pages: Sequence[Page]) -> bytes:
    """A page of which everything is here."""
    rows = b",".join(page.rows for page in pages)
    return b"".join((head(asked), rows, tail(sum(page.count for page in pages))))


def changed(asked: ReadRequest, told: Changes) -> bytes:
    """What became otherwise: rows as of a page, what is withdrawn, and the scope to go on with."""
    following: dict[str, int | bool] = {"sinceRevision": told.revision, "maxRows": asked.most}
    following |= {"settled": True} if asked.settled else {}
    following |= {} if told.first is None else {"minID": told.first}
    return b"".join(
        (
            f'{{"result":"success","sinceRevision":{asked.since},"maxRows":{asked.most},'.encode(),
            f'"revision":{told.revision},"more":{json.dumps(told.more)},'.encode(),
            f'"next":{json.dumps(following)},'.encode(),
            f'"withdrawn":{json.dumps(told.withdrawn)},"values":['.encode(),
            told.rows,
            tail(told.count),
        )
    )


async def parts(
    asked: ReadRequest, here: Sequence[Page], rest: AsyncIterator[Page]
) -> AsyncIterator[bytes]:
    """A page that is longer than what is here, piece by piece."""
    count = sum(page.count for page in here)
    yield head(asked) + b",".join(page.rows for page in here)
    async for page in rest:
        yield b"," + page.rows
        count += page.count
    yield tail(count)


def user(principal: Principal, session: int) -> dict[str, Any]:
    """Who has logged in.

    A permission is "yes" where it holds for everybody's calls, else the company that it holds for, or
    the companies. `session` is the session's number as `cdrd token list` shows it; the secret is in the
    cookie alone. A place called home is nothing that cdrd has.
    """
    companies = principal.companies
    scope: str | list[str] = "yes"
    if companies is not None:
        scope = companies[0] if len(companies) == 1 else list(companies)
    return {
        "id": principal.principal_id,
        "login": principal.login,
        "name": principal.name,
        "company": companies[0] if companies else "default",
        "home": None,
        "session": session,
        "perms": dict.fromkeys(sorted(p.value for p in principal.permissions), scope),
    }
