"""What may be asked of the raw CDR dialect, and what is wrong with what was asked."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cdrd.records import AcctId, Revision
from cdrd.serve.body import shortened
from cdrd.serve.credentials import Password
from cdrd.serve.refusal import Refusal, bad_input

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ACCTID = 2**63 - 1
_LAST_DATE = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_MOST_TOLD = 20
"""Mistakes that are told: a body of nothing else has thousands, and nobody is known to have sent it."""
_NUMBER = re.compile(r"-?[0-9]{1,40}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _whole(value: object) -> object:
    """Some languages write whole numbers as 5.0 or 1.4e12; that is still the number it says."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = Annotated[int, BeforeValidator(_whole)]
_Milliseconds = Annotated[_Whole, Field(ge=0, le=_LAST_DATE)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Scope(_Strict):
    min_id: Annotated[_Whole, Field(ge=0, le=_LAST_ACCTID)] | None = Field(None, alias="minID")
    max_rows: Annotated[_Whole, Field(ge=1)] | None = Field(None, alias="maxRows")
    min_date: _Milliseconds | None = Field(None, alias="minDate")
    max_date: _Milliseconds | None = Field(None, alias="maxDate")
    queuedata: bool | None = None
    cachedata: bool | None = None
    raw: bool | None = None
    settled: bool | None = None
    since_revision: Annotated[_Whole, Field(ge=0, le=_LAST_ACCTID)] | None = Field(
        None, alias="sinceRevision"
    )

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        told = {
            "minDate": self.min_date is not None,
            "maxDate": self.max_date is not None,
            "raw": self.raw is True,
        }
        besides = [name for name, given in told.items() if given]
        if self.since_revision is not None and besides:
            raise PydanticCustomError(
                "order", "sinceRevision goes without {besides}", {"besides": ", ".join(besides)}
            )
        if self.settled and self.raw:
            raise PydanticCustomError(
                "order", "settled waits for what raw does not wait for; give one of them"
            )
        return self

    @model_validator(mode="after")
    def _dates_in_order(self) -> Self:
        if (
            self.min_date is not None
            and self.max_date is not None
            and self.min_date > self.max_date
        ):
            raise PydanticCustomError(
                "order",
                "minDate ({first}) is after maxDate ({last})",
                {"first": self.min_date, "last": self.max_date},
            )
        return self


class _Auth(_Strict):
    type: Literal["auth"] = "auth"
    username: str
    password: str


class _Read(_Strict):
    type: Literal["cdr"] = "cdr"
    scope: _Scope | None = None
    auth: _Auth | None = None


class _Login(_Strict):
    type: Literal["auth"] = "auth"
    auth: _Auth | None = None


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A page of raw CDRs is wanted."""

    first: AcctId | None
    """minID as it was given."""
    most: int
    min_date: datetime | None
    max_date: datetime | None
    raw: bool
    """Read up to the newest leg, without waiting until it is decided."""
    password: Password | None
    """From the `auth` object of the body."""
    settled: bool = False
    """Read up to the first leg whose call is not settled."""
    since: Revision | None = None
    """Read what changed after that: in place of what is new, or where `first` is given before it."""


def read_request(data: Mapping[str, Any], *, default_rows: int, max_rows: int) -> ReadRequest:
    """The body of a POST. Raises Refusal with everything that is wrong."""
    try:
        asked = _Read.model_validate(data)
    except ValidationError as error:
        raise _refusal(error, max_rows=max_rows) from error
    scope = asked.scope or _Scope()
    most = default_rows if scope.max_rows is None else scope.max_rows
    if most > max_rows:
        raise bad_input(f"scope.maxRows: {most} is too many; {_allowed('maxRows', max_rows)}")
    return ReadRequest(
        first=None if scope.min_id is None else AcctId(scope.min_id),
        most=most,
        min_date=_date(scope.min_date),
        max_date=_date(scope.max_date),
        raw=scope.raw is True,
        settled=scope.settled is True,
        since=None if scope.since_revision is None else Revision(scope.since_revision),
        password=None if asked.auth is None else Password(asked.auth.username, asked.auth.password),
    )


def scope_of_query(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The body that says the same as the query parameters of a GET. Raises Refusal."""
    scope: dict[str, Any] = {}
    for name, text in pairs:
        if name in scope:
            raise bad_input(f"{shortened(name)} is given twice")
        scope[name] = _FLAGS.get(text.lower(), text) if name in _FLAG_NAMES else _number(text)
    above = {"type": scope.pop("type")} if "type" in scope else {}
    return {**above, "scope": scope}


def login_request(data: Mapping[str, Any]) -> Password | None:
    """The login that a body of /rest/auth/ holds, if any. Raises Refusal."""
    try:
        auth = _Login.model_validate(data).auth
    except ValidationError as error:
        raise _refusal(error) from error
    return None if auth is None else Password(auth.username, auth.password)


def _number(text: str) -> object:
    return int(text) if _NUMBER.fullmatch(text) else text


def _date(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=milliseconds)


_FLAG_NAMES = frozenset({"queuedata", "cachedata", "raw", "settled"})
_KEYS: Mapping[str, Sequence[str]] = {
    "": ("type", "scope", "auth"),
    "scope": tuple(field.alias or name for name, field in _Scope.model_fields.items()),
    "auth": tuple(_Auth.model_fields),
}


def _allowed(name: str, max_rows: int) -> str:
    """What a field takes, in words."""
    match name:
        case "minID" | "sinceRevision":
            return f"a whole number from 0 to {_LAST_ACCTID} is allowed"
        case "maxRows":
            return f"a whole number from 1 to {max_rows} is allowed"
        case "minDate" | "maxDate":
            return (
                f"milliseconds since 1970 in UTC are allowed, a whole number from 0 to {_LAST_DATE}"
            )
        case "username" | "password":
            return "a text is allowed"
        case "scope" | "auth":
            return "an object is allowed"
        case _:
            return "true or false is allowed"


def _refusal(error: ValidationError, *, max_rows: int = 0) -> Refusal:
    told = [_words(problem, max_rows) for problem in error.errors()[:_MOST_TOLD]]
    if error.error_count() > _MOST_TOLD:
        told.append(f"and {error.error_count() - _MOST_TOLD} more")
    return bad_input("; ".join(told))


def _words(problem: Any, max_rows: int) -> str:
    """One problem: the field, what was found, what is allowed."""
    place = ".".join(str(step) for step in problem["loc"])
    name = place.rpartition(".")[2]
    match problem["type"]:
        case "extra_forbidden":
            return _unknown(problem["loc"])
        case "missing":
            return f"{place}: is missing; {_allowed(name, max_rows)}"
        case "order":
            return f"{place}: {problem['msg']}"
        case "literal_error":
            expected = problem["ctx"]["expected"].replace("'", '"')
            return f"{place}: {shortened(problem['input'])} is wrong; {expected} is allowed"
    found = "the value" if name in {"password", "auth"} else shortened(problem["input"])
    return f"{place}: {found} is wrong; {_allowed(name, max_rows)}"


def _unknown(loc: tuple[Any, ...]) -> str:
    *above, name = (str(step) for step in loc)
    known = _KEYS.get(".".join(above), ())
    folded = {key.lower(): key for key in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    meant = f"did you mean {folded[near[0]]}?" if near else f"there are {', '.join(known)}"
    return f"{'.'.join(above) or 'the body'}: there is no {shortened(name)}; {meant}"
