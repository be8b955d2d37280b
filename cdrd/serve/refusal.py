"""Why a request is not answered, in words that every dialect can put into its own envelope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from cdrd.errors import RequestError

_NONE: Mapping[str, str] = MappingProxyType({})


class Refusal(RequestError):
    """The request is not answered."""

    def __init__(
        self, status: int, message: str, *, headers: Mapping[str, str] = _NONE, again: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        """One sentence for whoever wrote the client; it tells nothing that they may not know."""
        self.headers = headers
        self.again = again
        """The same request may succeed later."""


def bad_input(message: str) -> Refusal:
    """The caller's request is wrong, and the message says where and what would be right."""
    return Refusal(400, message)


def not_logged_in(message: str) -> Refusal:
    """There are no credentials, or they are wrong; an unknown user and a wrong password are the same."""
    return Refusal(
        401, message, headers={"WWW-Authenticate": 'Basic realm="cdrd", charset="UTF-8"'}
    )


def forbidden(message: str) -> Refusal:
    """We know who asks, and they may not."""
    return Refusal(403, message)


def too_many(message: str, seconds: float) -> Refusal:
    """Too much of it from there; later again."""
    return Refusal(429, message, headers=_later(seconds), again=True)


def away(message: str, seconds: float = 5) -> Refusal:
    """Not the caller's fault: the same request will be answered later."""
    return Refusal(503, message, headers=_later(seconds), again=True)


def _later(seconds: float) -> dict[str, str]:
    return {"Retry-After": str(max(1, math.ceil(seconds)))}
