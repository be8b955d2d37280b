"""Several hosts in one DSN: the primary is found, also where another of them hangs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from cdrd.errors import SettingsError

_SECONDS = 10.0
"""That a host has to let us in; ..."""
_SECONDS_OF_SEVERAL = 3.0
"""... where there are others, which somebody may wait for."""
_REFUSED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Hosts:
    """The hosts of a DSN, that which let us in last before the others.

    The driver goes through them by itself, but with one timeout for all: a first one that hangs uses it up.
    """

    def __init__(self, dsn: str) -> None:
        self._dsns = _one_for_each(dsn)
        # of several hosts in the operator's DSN the primary: the others can't be written to
        self._wanted = SessionAttribute.read_write if "," in dsn else None

    async def connect(self, *_: object, **options: Any) -> Any:
        """A connection to the first that is the primary; raises what the last one said.

        The pool gives the whole DSN as well, which these know.
        """
        several = len(self._dsns) > 1
        options["timeout"] = _SECONDS_OF_SEVERAL if several else _SECONDS
        options["target_session_attrs"] = self._wanted
        last: Exception | None = None
        for dsn in self._dsns:
            try:
                connection = await asyncpg.connect(dsn, **options)
            except _REFUSED as error:
                last = error
            else:
                self._dsns = [dsn, *(other for other in self._dsns if other != dsn)]
                return connection
        assert last is not None  # noqa: S101 - a DSN has a host, if only that of the environment
        raise last


def _one_for_each(dsn: str) -> list[str]:
    """A DSN for each host that stands before the path. Those of `?host=` the driver goes through."""
    try:
        there = urlsplit(dsn)
    except ValueError as error:
        raise SettingsError([f"database.dsn: {error}"]) from error
    user, at, hosts = there.netloc.rpartition("@")
    return [there._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(",")]
