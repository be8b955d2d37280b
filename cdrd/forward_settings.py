"""The settings of `cdrd forward`, on the PBX: forward.yaml. What its files hold only the collector knows."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from cdrd.errors import SettingsError
from cdrd.settings import LogSettings
from cdrd.settings_file import (
    ROTATED,
    Duration,
    IdlePoll,
    Name,
    Section,
    Size,
    between,
    read_settings,
    secret,
)


def _url(value: str, info: ValidationInfo) -> str:
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"https", "http"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{value!r} is no address; write one like https://collector.example:8887")
    if parts.scheme == "http" and not (info.data.get("plain_http") or _is_loopback(parts.hostname)):
        raise ValueError(
            "http:// to another machine would show the token and every record to whoever listens;"
            " write https://, or plain_http: true"
        )
    return value.rstrip("/")


def _some(sources: tuple[ForwardedSettings, ...]) -> tuple[ForwardedSettings, ...]:
    if not sources:
        raise ValueError("at least one is needed")
    return sources


class CollectorSettings(Section):
    """The cdrd that the records go to."""

    plain_http: bool = False
    """Whether http:// may lead to another machine: all that is sent can be read on the way then."""
    url: Annotated[str, AfterValidator(_url)]
    token_file: Path | None = None
    """A file that holds the token; the systemd credential `token` is used by itself when it is there."""
    ca: Path | None = None
    """Who vouches for the collector's certificate; None is whom the system trusts."""
    timeout: Annotated[Duration, between(timedelta(seconds=1), timedelta(minutes=1))] = timedelta(
        seconds=30
    )
    """So long the collector may say nothing at all."""
    longest_pause: Annotated[Duration, between(timedelta(seconds=1), timedelta(hours=1))] = (
        timedelta(minutes=1)
    )
    """Between two attempts while it does not answer."""
    batch_bytes: Annotated[Size, Field(ge=4096, le=4 << 20)] = 1 << 18


class ForwardedSettings(Section):
    """One path, and the source of the collector that it belongs to."""

    name: Name
    path: Annotated[str, Field(min_length=1)]
    """A file, or a pattern (glob) for many; each file that matches is followed by itself."""
    rotated: tuple[str, ...] = ROTATED
    idle_poll: IdlePoll = timedelta(milliseconds=100)


class ForwardSettings(Section):
    """All of forward.yaml."""

    collector: CollectorSettings
    sources: Annotated[tuple[ForwardedSettings, ...], AfterValidator(_some)]
    logs: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in ("name", "path"):
            given = [getattr(source, key) for source in self.sources]
            twice = sorted({value for value in given if given.count(value) > 1})
            if twice:
                raise ValueError(f"sources: the {key} {twice[0]!r} is given twice")
        return self


@dataclass(frozen=True, slots=True)
class Forward:
    """The settings, and the secret that goes with them."""

    settings: ForwardSettings
    token: str = field(repr=False)


def load_forward(path: Path, *, environment: Mapping[str, str] | None = None) -> Forward:
    """Reads and checks a file and the token; raises SettingsError with every problem in it."""
    settings = read_settings(path, ForwardSettings)
    where = environment if environment is not None else os.environ
    key = "collector.token_file"
    token = secret("token", settings.collector.token_file, where, folder=path.parent, key=key)
    problems = []
    if not token or not (token.isascii() and token.isprintable()):
        problems.append(
            f"{path}: {key}: a token is needed, in that file, in the credential `token`, or in a file"
            " `token` beside these settings"
        )
    ca = settings.collector.ca
    if ca is not None and not ca.is_file():
        problems.append(f"{path}: collector.ca: {ca} is no file")
    if problems:
        raise SettingsError(problems)
    return Forward(settings, token or "")


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
