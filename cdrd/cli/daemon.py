"""The command of the running daemon: run."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import Coroutine
from typing import Any

import click
import uvloop

from cdrd.cli import cli
from cdrd.cli.program import Program
from cdrd.daemon import run_daemon
from cdrd.errors import CdrdError
from cdrd.logs import configure_logs, get_logger
from cdrd.parts import ALL_ROLES, Role


@cli.command("run")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="Do only this; may be given several times. Default: everything.",
)
@click.pass_obj
def run_command(program: Program, roles: tuple[str, ...]) -> None:
    """Run the daemon in the foreground. SIGTERM or Ctrl-C ends it; SIGHUP reloads."""
    settings = program.settings
    configure_logs(level=settings.logs.level, form=settings.logs.form)
    wanted = frozenset(Role(role) for role in roles) or ALL_ROLES
    run_until_stopped(run_daemon(settings, config=program.config, dsn=program.dsn, roles=wanted))


_SWITCH_INTERVAL = 0.0005
"""Seconds that a thread which decodes or decides may keep waiting what talks to the database. With Python's
own 5 ms, several times a batch, the database idles for a third of the time."""


_COLLECT_AFTER = (100_000, 20, 50)
"""New objects before the garbage collector looks at them. A batch makes some hundred thousand that live until
it is written and have no use for it; at Python's own 700 it takes half the time of the rules."""


_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
_LARGE = 1 << 18
"""Bytes of a block of memory that goes back to the kernel when it is freed. Batches come and go, and what
glibc would keep of them, in a pool for each thread, is a tenth of the daemon."""


def run_until_stopped(daemon: Coroutine[Any, Any, None]) -> None:
    """Runs a daemon on the faster event loop; of several faults at once the first of ours is told."""
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(*_COLLECT_AFTER)
    gc.freeze()  # what is imported stays
    _keep_little_memory()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(daemon)
        except BaseExceptionGroup as group:
            ours = group.subgroup(CdrdError)
            if ours is not None:
                raise _first(ours) from group
            get_logger().exception("daemon_failed")
            raise SystemExit(1) from group


def _keep_little_memory() -> None:
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's alone. Source of the numbers: its malloc.h
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)


def _first(group: BaseExceptionGroup[Any]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
