"""What a dialect is to the server: paths below a prefix, and an envelope for what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cdrd.serve.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the public interfaces. They share the server, the door and the database, and no form."""

    name: str
    """What it is called in metrics and logs."""
    prefix: str
    """What its paths begin with, no slash at the end; empty for what belongs to no other."""
    routes: Sequence[web.RouteDef]
    envelope: Callable[[Refusal], dict[str, Any]]
    """The JSON object that tells its clients of a refusal."""

    def has(self, path: str) -> bool:
        """Whether a path belongs to it."""
        return not self.prefix or path == self.prefix or path.startswith(f"{self.prefix}/")
