"""What a newcomer's machine says about itself: its time zone, and what kind of file it was given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cdrd.errors import SourceUnavailable
from cdrd.records import SourceKind


def machine_zone(environment: Mapping[str, str], *, etc: Path = Path("/etc")) -> str:
    """The machine's time zone by name; UTC where it has none. Asterisk on the same machine writes in it."""
    return next(
        (
            name
            for name in (
                environment.get("TZ", "").removeprefix(":"),
                _first_line(etc / "timezone"),
                _behind_zoneinfo((etc / "localtime").resolve()),
            )
            if name and is_zone(name)
        ),
        "UTC",
    )


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _behind_zoneinfo(path: Path) -> str:
    return str(path).rpartition("/zoneinfo/")[2] if "/zoneinfo/" in str(path) else ""


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def file_kind(path: Path) -> SourceKind:
    """How a file's records are written; raises SourceUnavailable when it cannot be read."""
    try:
        with path.open("rb") as file:
            first = file.read(1)
    except PermissionError as error:
        raise SourceUnavailable(
            f"{path} may not be read by this user",
            hint="Asterisk's files belong to the group asterisk: join it, or copy the file.",
        ) from error
    except OSError as error:
        raise SourceUnavailable(
            f"{path} cannot be read: {error.strerror}",
            hint="Give the path of the Master.csv that Asterisk writes, e.g. "
            "/var/log/asterisk/cdr-csv/Master.csv.",
        ) from error
    return SourceKind.ASTERISK_JSON if first == b"{" else SourceKind.ASTERISK_CSV
