"""`cdrd forward` as time: what starts, what a signal does, and how it all ends.

It is a process without a database and without a state of its own, on a machine that has other things to
do: one thread, one connection, one piece of one file at a time. So it may be stopped between any two
instructions, and a signal does just that.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cdrd import systemd
from cdrd.clock import stopwatch
from cdrd.collect.forward import Forwarded
from cdrd.collect.uplink import Uplink
from cdrd.errors import SettingsError
from cdrd.forward_settings import Forward, load_forward
from cdrd.logs import configure_logs, get_logger

_log = get_logger()
_LONGEST_SLEEP = 1.0
_BEATS = 3
"""Of the watchdog, in the time that it waits for one."""


class _Woken(BaseException):
    """A signal came; nothing that is being done needs to be finished."""


class _Signals:
    """What the operator wants: to stop, or to have the settings read again."""

    def __init__(self) -> None:
        self.stop = False
        self.reload = False
        self._may_interrupt = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._came)

    def _came(self, number: int, _: object) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.stop = True
        if self._may_interrupt:
            self._may_interrupt = False
            raise _Woken

    def check(self) -> None:
        """Raises what a signal would have raised that came at a bad moment."""
        if self.stop or self.reload:
            raise _Woken

    def interrupt(self, work: Callable[[], None]) -> None:
        """Works until it is done, or until a signal ends whatever is being done."""
        try:
            self._may_interrupt = True
            self.check()
            work()
        except _Woken:
            pass
        finally:
            self._may_interrupt = False


class _Heart:
    """Beats for systemd's watchdog, and says in a line how it is going."""

    def __init__(self) -> None:
        self._every = (systemd.watchdog_seconds() or 0) / _BEATS
        self._beat_at = float("-inf")
        self._status = ""

    def beat(self, status: str) -> None:
        """The loop has turned."""
        if status != self._status:
            self._status = status
            systemd.notify(f"STATUS={status}")
        if self._every and stopwatch() - self._beat_at >= self._every:
            self._beat_at = stopwatch()
            systemd.notify("WATCHDOG=1")


def run_forwarder(config: Path) -> None:
    """Forwards until SIGTERM or SIGINT; SIGHUP reads the settings again. Raises SettingsError at once."""
    forward = load_forward(config)
    _configure(forward)
    uplink = Uplink(forward)
    signals, heart = _Signals(), _Heart()
    systemd.notify("READY=1")
    while not signals.stop:
        settings = forward.settings
        _log.info("started", collector=settings.collector.url, sources=_names(forward))
        signals.interrupt(partial(_forward, forward, uplink, signals, heart))
        uplink.close()
        if signals.reload and not signals.stop:
            signals.reload = False
            forward, uplink = _reloaded(config, forward, uplink)
    systemd.notify("STOPPING=1")
    _log.info("stopped")


def _forward(forward: Forward, uplink: Uplink, signals: _Signals, heart: _Heart) -> None:
    """Each source in its turn, until a signal comes."""
    collector = forward.settings.collector
    machine = socket.gethostname() or "unnamed"
    sources = [Forwarded(one, uplink, machine=machine) for one in forward.settings.sources]
    longest = collector.longest_pause.total_seconds()
    try:
        while True:
            wakes_at = []
            for source in sources:
                wakes_at.append(source.turn(longest, collector.batch_bytes))
                ill = [one.name for one in sources if not one.is_well]
                heart.beat(f"waiting for the collector: {', '.join(ill)}" if ill else "forwarding")
                signals.check()
            time.sleep(min(max(0.0, min(wakes_at) - stopwatch()), _LONGEST_SLEEP))
    finally:
        for source in sources:
            source.close()


def _reloaded(config: Path, forward: Forward, uplink: Uplink) -> tuple[Forward, Uplink]:
    """The new settings, or the old ones where anything is wrong with the new."""
    systemd.notify_reloading()
    try:
        found = load_forward(config)
        forward, uplink = found, Uplink(found)
    except SettingsError as error:
        _log.error("reload_refused", problems=error.problems)
    else:
        _configure(forward)
        _log.info("reloaded", sources=_names(forward))
    systemd.notify("READY=1")
    return forward, uplink


def _configure(forward: Forward) -> None:
    configure_logs(level=forward.settings.logs.level, form=forward.settings.logs.form)


def _names(forward: Forward) -> list[str]:
    return [source.name for source in forward.settings.sources]
