"""What a request brings to show who asks: a password, a token, or a session."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cdrd.serve.refusal import not_logged_in

SESSION_COOKIE = "Red60urne"
"""The name that clients of this dialect know."""
_LONGEST = 1024
"""Characters of a login or password; argon2 must not be made to work on megabytes."""


@dataclass(frozen=True, slots=True)
class Password:
    """A login and a password: from HTTP Basic, or the `auth` object of a body."""

    login: str
    password: str

    def plausible(self) -> bool:
        """Whether such a login could be stored at all: PostgreSQL takes no NUL and no lone surrogate."""
        try:
            self.login.encode()
        except UnicodeEncodeError:
            return False
        return "\0" not in self.login and max(len(self.login), len(self.password)) <= _LONGEST


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token from the Authorization header."""

    token: str


@dataclass(frozen=True, slots=True)
class Session:
    """The value of the session cookie."""

    value: str


Credentials = Password | Bearer | Session


def in_headers(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Credentials | None:
    """What the request's own headers say; the Authorization header before the cookie.

    The cookie of a request that another site made the browser send is no credential: SameSite=Strict
    keeps modern browsers from sending it, and this holds for the others.
    """
    authorization = headers.get("Authorization")
    if authorization is not None:
        return _authorization(authorization)
    value = cookies.get(SESSION_COOKIE)
    if value and not from_another_site(headers):
        return Session(value)
    return None


def _authorization(value: str) -> Credentials:
    scheme, _, rest = value.strip().partition(" ")
    match scheme.lower():
        case "bearer" if rest.strip():
            return Bearer(rest.strip())
        case "basic":
            return _basic(rest.strip())
    raise not_logged_in("the Authorization header is neither `Bearer TOKEN` nor HTTP Basic")


def _basic(value: str) -> Password:
    try:
        decoded = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise not_logged_in("the Basic credentials are not base64") from error
    # not UTF-8 is Latin-1: what older clients send; then nothing can fail to decode
    try:
        text = decoded.decode()
    except UnicodeDecodeError:
        text = decoded.decode("latin-1")
    login, colon, password = text.partition(":")
    if not colon:
        raise not_logged_in("the Basic credentials are not `login:password`")
    return Password(login, password)


def from_another_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of somebody else's made this request."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("Origin")
    if origin is None:
        return False  # no browser, or a navigation, which carries no Strict cookie
    return urlsplit(origin).netloc != headers.get("Host")
