"""The body of a push without its wrapping: what FreeSWITCH puts into a form is a document again.

| Content-Type | body |
|---|---|
| application/x-www-form-urlencoded | `cdr=` and the document, URL-encoded |
| application/x-www-form-base64-encoded | `cdr=` and the document in base64, not URL-encoded |
| anything else | the document, or one of these after all: then it begins with `cdr=` |
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from cdrd.decode.values import Problem
from cdrd.records import Reason

_FIELD = b"cdr="
_BASE64 = "application/x-www-form-base64-encoded"


def unwrap(body: bytes, content_type: str) -> bytes | Problem:
    """The document inside a body."""
    kind = content_type.partition(";")[0].strip().lower()
    is_form = kind.startswith("application/x-www-form") or body.startswith(_FIELD)
    if not is_form:
        return body
    wrapped = next((part for part in body.split(b"&") if part.startswith(_FIELD)), None)
    if wrapped is None:
        return Problem(Reason.MISSING_FIELD, "the form has no field cdr")
    text = wrapped.removeprefix(_FIELD).strip()
    if kind != _BASE64:
        decoded = unquote_to_bytes(text.replace(b"+", b" "))
        if decoded[:1].strip() in (b"{", b"<", b"["):
            return decoded
    return _of_base64(text)


def _of_base64(text: bytes) -> bytes | Problem:
    try:
        return base64.b64decode(b"".join(unquote_to_bytes(text).split()), validate=True)
    except binascii.Error:
        return Problem(Reason.BAD_QUOTING, "the field cdr is neither URL-encoded nor base64")
