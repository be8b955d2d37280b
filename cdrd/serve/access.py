"""Who asks: credentials become a principal, slowly for those who guess."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from cdrd.clock import Stopwatch, stopwatch
from cdrd.owners import Permission, Principal
from cdrd.serve.credentials import Bearer, Credentials, Password, Session
from cdrd.serve.passwords import NOBODY, Proven, digest, fits, new_session
from cdrd.serve.refusal import away, forbidden, not_logged_in, too_many
from cdrd.serve.throttle import Address, Throttle
from cdrd.settings import ServeSettings
from cdrd.store.database import Database, in_time
from cdrd.store.principals import (
    Account,
    TokenKind,
    account,
    create_session,
    end_session,
    principal_of_token,
)

DATABASE_SECONDS = 15.0
"""The database has so long to tell who asks, and up to where they may read; so has whoever has a place that
others wait for."""
_PROVEN_SECONDS = 600.0
"""A password that was right is not put through argon2 again for so long; whose it is is asked each time."""
_AT_ONCE = 2
"""Passwords that are checked at once, each by a thread: the event loop turns on, and memory is bounded."""
_MOST_WAITING = 32
"""Passwords that may wait for their turn."""


class Access:
    """The door. Every principal comes from here, and is read anew for each request.

    So a changed password, a disabled user or a revoked token counts from the next request on.
    """

    def __init__(
        self, settings: ServeSettings, database: Database, *, clock: Stopwatch = stopwatch
    ) -> None:
        self._database = database
        self._session = settings.session
        self._throttle = Throttle(
            settings.throttle.failures, settings.throttle.per.total_seconds(), clock
        )
        self._proven = Proven(_PROVEN_SECONDS, clock)
        self._checks: dict[bytes, asyncio.Future[bool]] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="password")

    @in_time(DATABASE_SECONDS)
    async def principal(self, credentials: Credentials | None, address: Address) -> Principal:
        """Who that is; refuses where it is nobody."""
        match credentials:
            case None:
                raise not_logged_in("log in: give a token, a login and password, or a session")
            case Bearer(token):
                return await self._of_token(token, address)
            case Session(value):
                return await self._of_session(value)
            case Password():
                return await self._of_password(credentials, address)

    @in_time(DATABASE_SECONDS)
    async def begin_session(self, principal: Principal) -> tuple[str, int]:
        """The value of a new session's cookie, and the session's number."""
        value = new_session()
        number = await create_session(
            self._database, principal, digest=digest(value), life=self._session
        )
        return value, number

    @property
    def session_life(self) -> timedelta:
        """How long a session lasts."""
        return self._session

    @in_time(DATABASE_SECONDS)
    async def end_session(self, session: Session) -> None:
        """The session is over, if it was one."""
        await end_session(self._database, digest(session.value))

    def close(self) -> None:
        """Lets the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _of_token(self, token: str, address: Address) -> Principal:
        found = await principal_of_token(self._database, digest(token), TokenKind.BEARER)
        if found is None:
            # a right token is let in whatever happened from its address: nobody guesses 256 bits
            self._refuse_throttled(address)
            self._throttle.begin(address)
            raise not_logged_in("the token is not valid")
        return found

    async def _of_session(self, value: str) -> Principal:
        found = await principal_of_token(self._database, digest(value), TokenKind.SESSION)
        if found is None:
            raise not_logged_in("the session is over; log in again")
        return found

    async def _of_password(self, given: Password, address: Address) -> Principal:
        self._refuse_throttled(address)
        known = await account(self._database, given.login) if given.plausible() else None
        if await self._proves(known, given, address) and known is not None:
            return known.principal
        raise not_logged_in("the login or the password is wrong")

    def _refuse_throttled(self, address: Address) -> None:
        seconds = self._throttle.wait(address)
        if seconds > 0:
            raise too_many("too many wrong credentials from your address", seconds)

    async def _proves(self, known: Account | None, given: Password, address: Address) -> bool:
        """Whether the password fits. The same one asked by many requests at once is checked once."""
        stored = NOBODY if known is None or known.password_hash is None else known.password_hash
        mark = self._proven.mark(stored, given.password)
        if self._proven.knows(mark):
            return True
        check = self._checks.get(mark)
        if check is None:
            if len(self._checks) >= _MOST_WAITING:
                raise away("too many logins at once", seconds=2)
            self._refuse_throttled(address)
            self._throttle.begin(address)
            password = given.password if given.plausible() else ""
            check = asyncio.ensure_future(self._check(mark, stored, password, address))
            self._checks[mark] = check
        return await asyncio.shield(check)

    async def _check(self, mark: bytes, stored: str, password: str, address: Address) -> bool:
        loop = asyncio.get_running_loop()
        try:
            right = await loop.run_in_executor(self._threads, fits, stored, password)
        finally:
            del self._checks[mark]
        if right and stored is not NOBODY:
            self._throttle.forgive(address)
            self._proven.remember(mark)
            return True
        return False


def require(principal: Principal, any_of: frozenset[Permission]) -> None:
    """Refuses a principal that has none of these permissions."""
    if principal.permissions.isdisjoint(any_of):
        names = " or ".join(sorted(f"`{permission.value}`" for permission in any_of))
        raise forbidden(f"this needs the permission {names}")
