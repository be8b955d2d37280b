"""Several hosts in one DSN: one that hangs does not keep anybody from the others."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest
from support.wire import Wire, wired

from cdrd.errors import SettingsError, StoreUnavailable
from cdrd.store.database import Database


class Silent:
    """A host that lets everybody in and says nothing."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.host = f"127.0.0.1:{listening.getsockname()[1]}"

    def asked(self) -> int:
        """How many connections were made to it."""
        self._listening.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listening.accept()[0].close()
                count += 1
        return count


@pytest.fixture
def silent() -> Iterator[Silent]:
    """As long as the test lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield Silent(listening)


@pytest.fixture
def wire(dsn: str) -> Iterator[Wire]:
    """The host that answers."""
    with wired(dsn) as wire:
        yield wire


def with_hosts(dsn: str, *hosts: str) -> str:
    """The same DSN with other hosts; an empty one stands for its own."""
    before, _, rest = dsn.partition("@")
    own, _, path = rest.partition("/")
    return f"{before}@{','.join(host or own for host in hosts)}/{path}"


async def test_a_host_that_hangs_is_passed_by(wire: Wire, silent: Silent) -> None:
    async with Database(with_hosts(wire.dsn, silent.host, "")) as database:
        assert await database.alive()
        connection = await database.dedicated()
        assert await connection.fetchval("SELECT 1") == 1
        connection.terminate()


async def test_the_host_that_answered_is_asked_first_from_then_on(
    wire: Wire, silent: Silent
) -> None:
    """Each connection would wait for the other one else."""
    async with Database(with_hosts(wire.dsn, silent.host, "")) as database:
        for _ in range(3):
            connection = await database.dedicated()
            connection.terminate()
    assert silent.asked() == 1


async def test_where_none_of_them_answers_the_last_says_why(silent: Silent) -> None:
    dsn = f"postgresql://cdrd@{silent.host},127.0.0.1:1/cdrd?sslmode=disable"
    async with Database(dsn) as database:
        with pytest.raises(StoreUnavailable, match=r"does not answer: .*Connect"):
            await database.alive()


@pytest.mark.parametrize("dsn", ["postgresql://cdrd@[::1/cdrd", "nonsense", "http://db/cdrd"])
async def test_a_dsn_that_is_none_is_a_mistake_in_the_settings(dsn: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.dsn: "):
        async with Database(dsn) as database:
            await database.alive()
