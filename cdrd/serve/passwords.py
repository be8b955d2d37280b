"""Passwords and tokens: made, and turned into what may be stored of them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cdrd.clock import Stopwatch

TOKEN_PREFIX = "cdrd_"  # noqa: S105 - what a token begins with, so that it is recognised where it leaks
_REMEMBERED = 1024

# OWASP's argon2id setting with the least memory that is still recommended: two at a time stay below 40 MiB.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def hash_password(password: str) -> str:
    """What is stored of a password."""
    return _hasher.hash(password.encode("utf-8", "surrogatepass"))


NOBODY = hash_password(secrets.token_urlsafe())
"""Stands in for the hash of a user that does not exist, so that the answer takes as long."""


def fits(stored: str, password: str) -> bool:
    """Whether a password is the one that was stored. Takes tens of milliseconds: not for the event loop."""
    try:
        return _hasher.verify(stored, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """A new bearer token: 256 random bits behind a prefix."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    """A new value of the session cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a token or session. Plain SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Proven:
    """Passwords that were right a short while ago, so that a poller need not pay for argon2 each time.

    Only a digest is kept, keyed with a secret of this process. The stored hash is part of what is
    digested: after a change of the password nothing here fits any more.
    """

    def __init__(self, seconds: float, stopwatch: Stopwatch) -> None:
        self._seconds = seconds
        self._stopwatch = stopwatch
        self._key = secrets.token_bytes(32)
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def mark(self, stored: str, password: str) -> bytes:
        """What a password for that stored hash is remembered by."""
        text = f"{stored}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, "sha256")

    def knows(self, mark: bytes) -> bool:
        """Whether it was right a short while ago."""
        return self._until.get(mark, 0.0) > self._stopwatch()

    def remember(self, mark: bytes) -> None:
        """It was right just now."""
        self._until.pop(mark, None)
        while len(self._until) >= _REMEMBERED:
            self._until.popitem(last=False)
        self._until[mark] = self._stopwatch() + self._seconds
