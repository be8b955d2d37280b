"""The forwarder's line to its collector: one HTTPS connection, one question at a time.

The client is the standard library's, because a small PBX has no memory to spare for a larger one. Whatever
goes wrong on the way, nothing is known of what the collector did: the forwarder asks it.
"""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from cdrd.collect.pieces import (
    Begun,
    Malformed,
    Shipment,
    Taking,
    Told,
    begun_of_json,
    files_of_json,
    shipped,
    taking_of_json,
)
from cdrd.errors import CollectorUnavailable, Conflict, SettingsError
from cdrd.forward_settings import CollectorSettings, Forward
from cdrd.records import FilePosition

_LONGEST_ANSWER = 32 << 20
_LONGEST_WAIT = 3600.0
"""Seconds of Retry-After that are honoured."""
_SHOWN = 300
_OK, _CONFLICT = 200, 409
_HINTS = {
    401: "Is the token right, and not revoked or expired?",
    403: "Its user needs `--push` for this source.",
    404: "The collector's settings need this source, with `forward: true`.",
    413: "A proxy before the collector may take less; make collector.batch_bytes smaller.",
}


class Uplink:
    """The collector, as all sources of a forwarder share it."""

    def __init__(self, forward: Forward) -> None:
        self._settings = forward.settings.collector
        self._authorization = f"Bearer {forward.token}"
        self._context = tls_context(self._settings)
        parts = urlsplit(self._settings.url)
        self._host, self._port = parts.hostname or "", parts.port
        self._prefix = parts.path
        self._connection: HTTPConnection | None = None

    def files(self, source: str) -> list[FilePosition]:
        """The files that the collector knows of a source; nothing changes by asking."""
        said = self._ask("GET", source)
        with _understood():
            return files_of_json(said)

    def begin(self, source: str, machine: str) -> Begun:
        """From here on the forwarder goes on; what is still on its way from before is refused."""
        said = self._ask("POST", f"{source}/begin", json.dumps({"machine": machine}).encode())
        with _understood():
            return begun_of_json(said)

    def ship(self, source: str, shipment: Shipment) -> Taking:
        """How much of a piece is stored now. Conflict and CollectorUnavailable: begin again."""
        said = self._ask("POST", source, shipped(shipment))
        with _understood():
            return taking_of_json(said, most=len(shipment.data))

    def tell(self, source: str, told: Told) -> None:
        """How the forwarder is doing."""
        self._ask("POST", source, shipped(told))

    def close(self) -> None:
        """Hangs up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> object:
        try:
            response, content = self._exchange(method, f"/forward/{quote(path)}", body)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            words = str(error) or type(error).__name__
            raise CollectorUnavailable(f"{self._settings.url}: {words[:_SHOWN]}") from error
        except BaseException:  # a signal: half an answer would be taken for the next one's
            self.close()
            raise
        if response.status != _OK:
            raise self._refused(response, content)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            self.close()
            raise CollectorUnavailable(
                f"{self._settings.url} answers something else than JSON", hint="Is it a cdrd?"
            ) from error

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[HTTPResponse, bytes]:
        if self._connection is None:
            self._connection = self._connected()
        connection = self._connection
        headers = {"Authorization": self._authorization, "User-Agent": "cdrd-forward"}
        if body is not None:
            body = gzip.compress(body, compresslevel=5, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
        connection.request(method, self._prefix + path, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read(_LONGEST_ANSWER + 1)
        if len(content) > _LONGEST_ANSWER:
            raise HTTPException("the answer is too long")
        return response, content

    def _connected(self) -> HTTPConnection:
        seconds = self._settings.timeout.total_seconds()
        if self._context is None:
            return HTTPConnection(self._host, self._port, timeout=seconds)
        return HTTPSConnection(self._host, self._port, timeout=seconds, context=self._context)

    def _refused(self, response: HTTPResponse, content: bytes) -> Conflict | CollectorUnavailable:
        status = response.status
        words = f"{self._settings.url} answers {status}: {_message(content)}"
        if status == _CONFLICT:
            return Conflict(words)
        return CollectorUnavailable(
            words, hint=_HINTS.get(status), seconds=_retry_after(response.getheader("Retry-After"))
        )


def tls_context(settings: CollectorSettings) -> ssl.SSLContext | None:
    """Who may be the collector: whoever has a certificate for its name. None for plain HTTP."""
    if urlsplit(settings.url).scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"collector.ca: {settings.ca} does not load: {error}"]) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


@contextmanager
def _understood() -> Iterator[None]:
    """Inside, an answer that makes no sense is one that was not given."""
    try:
        yield
    except Malformed as error:
        raise CollectorUnavailable(
            f"the collector's answer makes no sense: {error}",
            hint="Is it a cdrd, and of this version?",
        ) from error


def _message(content: bytes) -> str:
    """What the collector, or whoever is before it, says about it."""
    try:
        said: Any = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    message = said.get("message") if isinstance(said, dict) else None
    text = message if isinstance(message, str) else content.decode("utf-8", "replace")
    return " ".join(text.split())[:_SHOWN]


def _retry_after(value: str | None) -> float:
    """Seconds; a date, which nobody sends here, is none."""
    return min(float(value), _LONGEST_WAIT) if value and value.isdecimal() else 0.0
