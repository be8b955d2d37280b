"""Logs: one event per fact, readable on a terminal, JSON elsewhere, phone numbers masked below debug."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_DIGITS = re.compile(r"\+?\d{5,}")
_NUMBER_KEYS = frozenset(
    {"src", "dst", "clid", "number", "caller", "callee", "did", "lastdata", "raw"}
)
"""Keys whose values are, or may hold, somebody's phone number."""
_SECRET_KEYS = frozenset(
    {"password", "token", "secret", "dsn", "authorization", "cookie", "session"}
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def mask_number(text: str) -> str:
    """All digits of each number in a text but the last two: `***77`."""
    return _DIGITS.sub(lambda found: "***" + found[0][-2:], text)


def escape_control(text: str) -> str:
    """A text without control, escape and bidi characters: callers choose their own names."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _mask(level: int) -> structlog.typing.Processor:
    numbers = _NUMBER_KEYS if level > _LEVELS["debug"] else frozenset[str]()

    def masked(key: str, value: Any) -> Any:
        if key in _SECRET_KEYS:
            return "***"
        if isinstance(value, dict):
            return {name: masked(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [masked(key, item) for item in value]
        if isinstance(value, bytes):
            value = value.decode("utf-8", "backslashreplace")
        return mask_number(value) if key in numbers and isinstance(value, str) else value

    def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: masked(key, value) for key, value in event.items()}

    return mask


def _escape(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key == "exception":
            event[key] = "\n".join(map(escape_control, str(value).split("\n")))
        elif isinstance(value, str):
            event[key] = escape_control(value)
    return event


def configure_logs(
    *, level: str = "info", form: str = "auto", stream: TextIO | None = None
) -> None:
    """Sets up structlog and the standard library's logging. `form` is auto, console or json."""
    stream = stream or sys.stderr
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _mask(_LEVELS[level]),
        # plain: a traceback with local variables would show the DSN and passwords
        structlog.processors.format_exc_info,
    ]
    rendered: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if as_json
        else [
            _escape,
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    libraries = logging.StreamHandler(stream)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(handlers=[libraries], level=logging.WARNING, force=True)


def get_logger(**context: Any) -> structlog.typing.FilteringBoundLogger:
    """A logger with something already said, e.g. the source."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(**context)
    return logger
