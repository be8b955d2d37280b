"""The pool of connections, and the one place where a driver's error becomes one of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self

import asyncpg

from cdrd.errors import (
    CdrdError,
    Conflict,
    RowRefused,
    SchemaError,
    SettingsError,
    StoreUnavailable,
)
from cdrd.store import moments
from cdrd.store.hosts import Hosts
from cdrd.store.statements import statement

CHANNEL = "cdrd"
"""The NOTIFY channel prefix: `cdrd_work`, `cdrd_directory`, `cdrd_principals`."""

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # "connection is closed", "pool is closing"
    asyncpg.InternalClientError,  # "another operation is in progress": the server cut an idle connection
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.InvalidAuthorizationSpecificationError,  # class 28: wrong password, until it is put right
    asyncpg.InvalidCatalogNameError,  # the database is not there (yet)
    asyncpg.InsufficientPrivilegeError,  # until the rights are granted
    asyncpg.TransactionRollbackError,  # class 40: serialization failure, deadlock
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.OperatorInterventionError,  # class 57: shutdown, cancelled, cannot connect now
    asyncpg.ReadOnlySQLTransactionError,  # 25006: the primary became a standby
    asyncpg.LockNotAvailableError,
    asyncpg.exceptions.PostgresIOError,  # class 58
)
_ROLLBACK_SECONDS = 5.0
"""A database has so long to undo what somebody was doing who waits no more."""
_NOT_THERE = "Is it running, and does the DSN say where?"
_HINTS = (
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "Correct the user and the password in the DSN.",
    ),
    (asyncpg.InvalidCatalogNameError, "Create that database, or correct the DSN."),
    (
        asyncpg.InsufficientPrivilegeError,
        "Make the user of the DSN the owner of the database and of what is in it.",
    ),
)
_REFUSED = (
    asyncpg.DataError,  # class 22: a value that is no timestamp, too large a number
    asyncpg.IntegrityConstraintViolationError,  # class 23
    asyncpg.ProgramLimitExceededError,  # class 54: an index row too long
    asyncpg.UntranslatableCharacterError,
    asyncpg.CharacterNotInRepertoireError,
)
_OLDER = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)


def translate(error: BaseException) -> CdrdError | None:
    """Our error for the driver's, or None where it is not the driver's (or is a bug of ours)."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict(f"{error.constraint_name}: {error.detail}")
    if isinstance(error, _REFUSED):
        return RowRefused(str(error))
    if isinstance(error, asyncpg.exceptions.ClientConfigurationError):
        return SettingsError([f"database.dsn: {error}"])
    if isinstance(error, _AWAY):
        what, hint = next(
            (("refuses", hint) for kind, hint in _HINTS if isinstance(error, kind)),
            ("does not answer", _NOT_THERE),
        )
        return StoreUnavailable(
            f"the database {what}: {str(error) or type(error).__name__}", hint=hint
        )
    if isinstance(error, _OLDER):
        return SchemaError(
            f"the database schema does not fit this program: {error}", hint="Run `cdrd migrate`."
        )
    return None


@contextmanager
def translated() -> Iterator[None]:
    """Inside, the driver's errors leave as ours."""
    try:
        yield
    except CdrdError:
        raise
    except (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    ) as error:
        ours = translate(error)
        if ours is None:
            raise
        raise ours from error


@asynccontextmanager
async def in_time(seconds: float) -> AsyncIterator[None]:
    """Inside, nobody is waited for without end: a database that hangs is away as one that is stopped."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise StoreUnavailable(
            f"the database does not answer: nothing came for {seconds:.0f} s", hint=_NOT_THERE
        ) from error


class Database:
    """A pool of connections to one database, as long as the `async with` block lasts."""

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 10,
        statement_timeout: float = 60.0,
        application: str = "cdrd",
    ) -> None:
        self._dsn = dsn
        self._hosts = Hosts(dsn)
        self._pool_size = pool_size
        self._statement_timeout = statement_timeout
        self._settings = {
            # UTC decides how timestamptz is written as text: `2016-03-22 10:52:41+00`.
            "timezone": "UTC",
            "datestyle": "ISO, YMD",
            "application_name": application,
            "statement_timeout": str(int(statement_timeout * 1000)),
            # a client that stalls inside its transaction would hold the append lock for all
            "idle_in_transaction_session_timeout": "60000",
            # whoever loses its power says no goodbye: what it has claimed is free in half a minute, not
            # after the two hours that Linux waits by itself
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        }
        self._pool: asyncpg.Pool | None = None

    async def __aenter__(self) -> Self:
        """Prepare the pool; connections are made when first needed, so a database may come later."""
        self._pool = asyncpg.create_pool(
            self._dsn,
            min_size=0,
            max_size=self._pool_size,
            command_timeout=None,
            server_settings=self._settings,
            connect=self._hosts.connect,
            init=_prepare,
            reset=_nothing_to_reset,
        )
        with translated():
            await self._pool
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection; a connection still busy after ten seconds is cut."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(10):
                await pool.close()
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()

    @property
    def dsn(self) -> str:
        """Where it is, password and all: for processes of our own, never for the log."""
        return self._dsn

    @property
    def pool_size(self) -> int:
        """How many connections there are at most."""
        return self._pool_size

    @property
    def statement_timeout(self) -> float:
        """Seconds after which the database ends a statement."""
        return self._statement_timeout

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection; errors inside leave as ours."""
        if self._pool is None:
            raise StoreUnavailable("the database is closed")
        with translated():
            async with self._pool.acquire(timeout=15) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, *, isolation: str = "read_committed") -> AsyncIterator[Any]:
        """A connection inside a transaction that commits at the end of the block.

        Whoever is cancelled waits for its end, but not for a database that hangs.
        """
        async with self.connection() as connection:
            given_up: asyncio.TimerHandle | None = None
            try:
                async with connection.transaction(isolation=isolation):
                    try:
                        yield connection
                    except asyncio.CancelledError:
                        loop = asyncio.get_running_loop()
                        given_up = loop.call_later(_ROLLBACK_SECONDS, connection.terminate)
                        raise
            finally:
                if given_up is not None:
                    given_up.cancel()
                    raise asyncio.CancelledError  # whatever became of the rollback

    async def alive(self) -> bool:
        """Whether the database takes writes; raises StoreUnavailable when it does not answer."""
        async with self.connection() as connection:
            return bool(await statement("alive").value(connection))

    @asynccontextmanager
    async def listening(self, topic: str, wake: Callable[[], None]) -> AsyncIterator[Any]:
        """Calls `wake` whenever anybody notifies `topic`, and when the connection is lost."""
        connection = await self.dedicated()

        def heard(*_: object) -> None:
            wake()

        try:
            with translated():
                connection.add_termination_listener(heard)
                await connection.add_listener(f"{CHANNEL}_{topic}", heard)
            yield connection
        finally:
            connection.terminate()

    async def dedicated(self) -> Any:
        """A connection outside the pool, for what lives as long as the connection: locks, LISTEN."""
        with translated():
            return await self._hosts.connect(
                server_settings={
                    **self._settings,
                    "idle_in_transaction_session_timeout": "0",
                    "tcp_user_timeout": "30000",  # as keepalives, of what was sent and not received
                },
            )


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    await connection.set_type_codec(
        "timestamptz",
        schema="pg_catalog",
        encoder=moments.sent,
        decoder=moments.received,
        format="tuple",
    )


async def _nothing_to_reset(_: Any) -> None:
    """Replaces RESET ALL and the rest after each use, a round trip that a page would pay three times.

    No statement leaves state in a pooled session: settings are SET LOCAL, locks end with the
    transaction (which the driver itself rolls back), and LISTEN has a connection of its own.
    """
