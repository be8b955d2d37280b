"""Who may ask: principals, their tokens and their sessions. Secrets come here as digests only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cdrd.errors import Conflict, NotFound
from cdrd.owners import Permission, Principal
from cdrd.store.database import Database
from cdrd.store.statements import Row, statement

_MOST_SESSIONS = 100
"""Of one principal; a script that logs in each time would else leave eight hours of them."""
_KNOWN = frozenset(permission.value for permission in Permission)


class TokenKind(StrEnum):
    """What a secret is good for: an Authorization header, or a cookie."""

    BEARER = "bearer"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Account:
    """A principal that may log in, and what its password is checked against."""

    principal: Principal
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class NewPrincipal:
    """What a principal is made of."""

    login: str
    name: str
    password_hash: str | None
    permissions: Sequence[Permission]
    companies: Sequence[str] | None
    """The companies whose legs it may see; None is all of them."""
    sources: Sequence[str] = ()
    """The sources that it may push to."""


def _principal(row: Row) -> Principal:
    return Principal(
        principal_id=row["principal_id"],
        login=row["login"],
        name=row["name"],
        # a permission that a newer version knows gives nothing here
        permissions=frozenset(Permission(word) for word in row["permissions"] if word in _KNOWN),
        companies=None if row["companies"] is None else tuple(row["companies"]),
        sources=frozenset(row["sources"]),
    )


async def account(database: Database, login: str) -> Account | None:
    """The account of that login, unless there is none or it is disabled."""
    async with database.connection() as connection:
        row = await statement("principal_by_login").row(connection, login=login)
    return None if row is None else Account(_principal(row), row["password_hash"])


async def principal_of_token(
    database: Database, digest: bytes, kind: TokenKind
) -> Principal | None:
    """Whose valid token or session that is."""
    async with database.connection() as connection:
        row = await statement("principal_of_token").row(connection, digest=digest, kind=kind.value)
    return None if row is None else _principal(row)


async def principals(database: Database) -> Sequence[Row]:
    """Everybody, by login: permissions, companies, sources, disabled, has_password, tokens."""
    async with database.connection() as connection:
        return await statement("principals").rows(connection)


async def create_principal(database: Database, new: NewPrincipal) -> int:
    """Makes a principal and returns its number; raises Conflict when the login is taken."""
    try:
        async with database.connection() as connection:
            return int(
                await statement("create_principal").value(
                    connection,
                    login=new.login,
                    name=new.name,
                    password_hash=new.password_hash,
                    permissions=[permission.value for permission in new.permissions],
                    companies=None if new.companies is None else list(new.companies),
                    sources=list(new.sources),
                )
            )
    except Conflict as error:
        raise Conflict(f"there is a user {new.login} already") from error


async def set_password(database: Database, login: str, password_hash: str) -> None:
    """Replaces a password, and ends the sessions of the old one."""
    async with database.connection() as connection:
        _found(
            await statement("set_password").value(
                connection, login=login, password_hash=password_hash
            ),
            login,
        )


async def set_disabled(database: Database, login: str, *, disabled: bool) -> None:
    """Shuts a principal out with all its tokens and sessions, or lets it in again."""
    async with database.connection() as connection:
        _found(
            await statement("set_disabled").value(connection, login=login, disabled=disabled),
            login,
        )


async def remove_principal(database: Database, login: str) -> None:
    """Removes a principal with its tokens and sessions."""
    async with database.connection() as connection:
        _found(await statement("remove_principal").value(connection, login=login), login)


async def create_token(
    database: Database, login: str, *, digest: bytes, label: str, life: timedelta | None
) -> int:
    """Notes a new bearer token and returns its number."""
    async with database.connection() as connection:
        return _found(
            await statement("create_token").value(
                connection,
                login=login,
                kind=TokenKind.BEARER.value,
                label=label,
                digest=digest,
                life=life,
            ),
            login,
        )


async def create_session(
    database: Database, principal: Principal, *, digest: bytes, life: timedelta
) -> int:
    """Notes a new session and returns its number; forgets those that are over."""
    async with database.transaction() as connection:
        number = await statement("create_token").value(
            connection,
            login=principal.login,
            kind=TokenKind.SESSION.value,
            label="",
            digest=digest,
            life=life,
        )
        await statement("forget_old_sessions").rows(
            connection, principal_id=principal.principal_id, most=_MOST_SESSIONS
        )
    return _found(number, principal.login)


async def tokens(database: Database, login: str | None = None) -> Sequence[Row]:
    """Tokens and sessions, of everybody or of one, with login, kind, label, created_at, expires_at."""
    async with database.connection() as connection:
        return await statement("tokens").rows(connection, login=login)


async def revoke_token(database: Database, token_id: int) -> None:
    """Ends a token or session by its number."""
    async with database.connection() as connection:
        revoked = await statement("revoke_token").value(connection, token_id=token_id)
    if revoked is None:
        raise NotFound(f"there is no token {token_id}", hint="See `cdrd token list`.")


async def end_session(database: Database, digest: bytes) -> None:
    """Ends a session, if there is such a one."""
    async with database.connection() as connection:
        await statement("end_session").rows(connection, digest=digest)


def _found(number: int | None, login: str) -> int:
    if number is None:
        raise NotFound(f"there is no user {login}", hint="See `cdrd user list`.")
    return number
