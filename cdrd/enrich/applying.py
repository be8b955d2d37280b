"""companies.yaml comes into force. One that may be large is read by a process of its own.

A million entries take ten seconds and hundreds of megabytes to read and compare. In the daemon, everything
else would share the interpreter with that, and the memory would stay with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from cdrd.enrich.companies import checked, digest_of, files_of
from cdrd.errors import CdrdError, SettingsError, StoreUnavailable, Unavailable
from cdrd.store.database import Database
from cdrd.store.directory import apply_directory, current_version, version_applied
from cdrd.yamlfile import read_yaml

_LARGE = 1 << 20
"""Bytes of YAML that take about half a second."""
_IMPORT = re.compile(rb"^import\s*:", re.MULTILINE)


async def apply_file(database: Database, path: Path, *, applied_by: str) -> int | None:
    """Brings the file into force where it differs, and returns the new version.

    Raises SettingsError with every problem in it; then nothing is applied.
    """
    if await asyncio.to_thread(_may_be_large, path):
        return await _apply_elsewhere(database, path, applied_by=applied_by)
    return await apply_here(database, path, applied_by=applied_by)


def _may_be_large(path: Path) -> bool:
    try:
        return path.stat().st_size > _LARGE or _IMPORT.search(path.read_bytes()) is not None
    except OSError:  # which reading it will tell
        return False


async def apply_here(database: Database, path: Path, *, applied_by: str) -> int | None:
    """The same, by this process. Of files that were applied as they are, no more than a digest is made."""
    document = await asyncio.to_thread(read_yaml, path)
    digest = await asyncio.to_thread(digest_of, files_of(document))
    version = await current_version(database)
    in_force = await version_applied(database, version) if version else None
    if digest and in_force is not None and in_force["digest"] == digest:
        return None
    content = await asyncio.to_thread(checked, document)
    return await apply_directory(
        database, content.companies, content.entries, digest=digest, applied_by=applied_by
    )


async def _apply_elsewhere(database: Database, path: Path, *, applied_by: str) -> int | None:
    asked = {"dsn": database.dsn, "path": str(path), "applied_by": applied_by}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", __name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        answer, _ = await process.communicate(json.dumps(asked).encode())
    finally:
        if process.returncode is None:  # we are told to stop
            process.kill()
            await process.wait()
    if process.returncode:
        raise CdrdError(
            f"{path}: the process that reads it ended with {process.returncode}",
            hint="Is there enough memory? A million entries take about a gigabyte.",
        )
    return _told(json.loads(answer))


def _told(answer: dict[str, Any]) -> int | None:
    """What the other process has done; its errors are ours."""
    if "problems" in answer:
        raise SettingsError(answer["problems"], hint=answer["hint"])
    if "unavailable" in answer:
        raise StoreUnavailable(answer["unavailable"], hint=answer["hint"])
    if "failed" in answer:
        raise CdrdError(answer["failed"], hint=answer["hint"])
    version: int | None = answer["version"]
    return version


async def _answer(asked: dict[str, str]) -> dict[str, Any]:
    try:
        async with Database(asked["dsn"], pool_size=1) as database:
            path = Path(asked["path"])
            version = await apply_here(database, path, applied_by=asked["applied_by"])
    except SettingsError as error:
        return {"problems": error.problems, "hint": error.hint}
    except Unavailable as error:
        return {"unavailable": str(error), "hint": error.hint}
    except CdrdError as error:
        return {"failed": str(error), "hint": error.hint}
    return {"version": version}


def main() -> None:
    """The other process: is asked on its standard input, where no other user sees the password."""
    with contextlib.suppress(PermissionError):  # where the unit lets nobody set priorities
        os.nice(10)  # what is live comes first
    sys.stdout.write(json.dumps(asyncio.run(_answer(json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
