from __future__ import annotations

from datetime import timedelta

import pytest

from cdrd.errors import Conflict, NotFound
from cdrd.owners import Permission
from cdrd.store.database import Database
from cdrd.store.principals import (
    NewPrincipal,
    TokenKind,
    account,
    create_principal,
    create_session,
    create_token,
    end_session,
    principal_of_token,
    principals,
    remove_principal,
    revoke_token,
    set_disabled,
    set_password,
    tokens,
)

BOB = NewPrincipal("bob", "Bob", "hash", [Permission.BILLING_CALL_SUMMARY], ["acme", "globex"])
ONE, TWO = b"1" * 32, b"2" * 32


async def test_a_principal_is_found_by_its_login_as_it_was_made(database: Database) -> None:
    number = await create_principal(database, BOB)
    found = await account(database, "bob")

    assert found is not None
    assert found.password_hash == "hash"
    assert found.principal.principal_id == number
    assert found.principal.permissions == {Permission.BILLING_CALL_SUMMARY}
    assert found.principal.companies == ("acme", "globex")
    assert await account(database, "Bob") is None


async def test_a_login_is_taken_once(database: Database) -> None:
    await create_principal(database, BOB)

    with pytest.raises(Conflict, match="there is a user bob already"):
        await create_principal(database, BOB)


async def test_no_company_is_not_every_company(database: Database) -> None:
    await create_principal(database, NewPrincipal("all", "All", None, [], None))
    await create_principal(database, NewPrincipal("none", "None", None, [], []))
    everybody, nobody = await account(database, "all"), await account(database, "none")

    assert everybody is not None
    assert everybody.principal.companies is None
    assert nobody is not None
    assert nobody.principal.companies == ()


async def test_a_permission_of_a_newer_version_gives_nothing(database: Database) -> None:
    await create_principal(database, BOB)
    async with database.connection() as connection:
        await connection.execute("UPDATE principal SET permissions = '{calls,levitate}'")
    found = await account(database, "bob")

    assert found is not None
    assert found.principal.permissions == {Permission.CALLS}


async def test_who_is_disabled_has_no_account_no_token_and_no_session(database: Database) -> None:
    await create_principal(database, BOB)
    await create_token(database, "bob", digest=ONE, label="", life=None)
    await set_disabled(database, "bob", disabled=True)

    assert await account(database, "bob") is None
    assert await principal_of_token(database, ONE, TokenKind.BEARER) is None
    await set_disabled(database, "bob", disabled=False)
    assert await principal_of_token(database, ONE, TokenKind.BEARER) is not None


async def test_a_token_is_no_session_and_ends_when_it_expires_or_is_revoked(
    database: Database,
) -> None:
    await create_principal(database, BOB)
    number = await create_token(database, "bob", digest=ONE, label="poller", life=None)
    await create_token(database, "bob", digest=TWO, label="", life=timedelta(seconds=-1))

    assert await principal_of_token(database, ONE, TokenKind.BEARER) is not None
    assert await principal_of_token(database, ONE, TokenKind.SESSION) is None
    assert await principal_of_token(database, TWO, TokenKind.BEARER) is None
    await revoke_token(database, number)
    assert await principal_of_token(database, ONE, TokenKind.BEARER) is None
    with pytest.raises(NotFound):
        await revoke_token(database, number)


async def test_a_new_password_ends_the_sessions_but_not_the_tokens(database: Database) -> None:
    await create_principal(database, BOB)
    found = await account(database, "bob")
    assert found is not None
    await create_session(database, found.principal, digest=ONE, life=timedelta(hours=8))
    await create_token(database, "bob", digest=TWO, label="", life=None)
    await set_password(database, "bob", "new hash")

    assert await principal_of_token(database, ONE, TokenKind.SESSION) is None
    assert await principal_of_token(database, TWO, TokenKind.BEARER) is not None
    changed = await account(database, "bob")
    assert changed is not None
    assert changed.password_hash == "new hash"


async def test_sessions_that_are_over_and_the_oldest_of_very_many_are_forgotten(
    database: Database,
) -> None:
    await create_principal(database, BOB)
    found = await account(database, "bob")
    assert found is not None
    await create_session(database, found.principal, digest=ONE, life=timedelta(seconds=-1))
    for n in range(101):
        digest = bytes([n]) * 32
        await create_session(database, found.principal, digest=digest, life=timedelta(hours=8))

    assert len(await tokens(database, "bob")) == 100
    assert await principal_of_token(database, bytes(32), TokenKind.SESSION) is None
    newest = bytes([100]) * 32
    assert await principal_of_token(database, newest, TokenKind.SESSION) is not None
    await end_session(database, newest)
    assert await principal_of_token(database, newest, TokenKind.SESSION) is None


async def test_a_removed_principal_leaves_nothing_behind(database: Database) -> None:
    await create_principal(database, BOB)
    await create_token(database, "bob", digest=ONE, label="", life=None)
    await remove_principal(database, "bob")

    assert await tokens(database) == []
    assert await principals(database) == []


async def test_what_is_not_there_cannot_be_changed(database: Database) -> None:
    with pytest.raises(NotFound, match="there is no user nobody"):
        await set_password(database, "nobody", "hash")
    with pytest.raises(NotFound):
        await set_disabled(database, "nobody", disabled=True)
    with pytest.raises(NotFound):
        await remove_principal(database, "nobody")
    with pytest.raises(NotFound):
        await create_token(database, "nobody", digest=ONE, label="", life=None)


async def test_the_list_tells_everything_but_secrets(database: Database) -> None:
    await create_principal(database, BOB)
    await create_token(database, "bob", digest=ONE, label="poller", life=None)
    [row] = await principals(database)
    [token] = await tokens(database)

    assert (row["login"], row["has_password"], row["tokens"]) == ("bob", True, 1)
    assert (token["login"], token["kind"], token["label"]) == ("bob", "bearer", "poller")
    assert b"hash" not in repr(dict(row)).encode()
    assert "digest" not in dict(token)
