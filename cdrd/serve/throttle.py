"""Wrong credentials are slowed down by the address they come from."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

from cdrd.clock import Stopwatch

Address = IPv4Address | IPv6Address

_MOST_ADDRESSES = 10_000
"""So many are remembered; whoever has more of them is not stopped by counting per address."""


@dataclass(slots=True)
class _Window:
    ends: float
    tries: int


class Throttle:
    """Counts tries within a window that begins with the first one.

    A try counts when it begins, so that many at once don't get past, and is taken back when it was right.
    """

    def __init__(self, failures: int, seconds: float, stopwatch: Stopwatch) -> None:
        self._failures = failures
        self._seconds = seconds
        self._stopwatch = stopwatch
        self._windows: OrderedDict[object, _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def wait(self, address: Address) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        window = self._windows.get(_neighbourhood(address))
        if window is None or window.tries < self._failures:
            return 0
        return max(0, window.ends - self._stopwatch())

    def begin(self, address: Address) -> None:
        """A try from there begins."""
        key = _neighbourhood(address)
        now = self._stopwatch()
        window = self._windows.get(key)
        if window is None or window.ends <= now:
            self._windows.pop(key, None)  # a new window goes to the end: the front is the oldest
            while len(self._windows) >= _MOST_ADDRESSES:
                self._windows.popitem(last=False)
            window = self._windows[key] = _Window(now + self._seconds, 0)
        window.tries += 1

    def forgive(self, address: Address) -> None:
        """A try was right after all."""
        key = _neighbourhood(address)
        window = self._windows.get(key)
        if window is not None:
            window.tries -= 1
            if window.tries <= 0:
                del self._windows[key]


def _neighbourhood(address: Address) -> object:
    """An IPv6 host has a whole /64 to itself; an IPv4 address in IPv6 clothes is still that one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        return ip_network((int(address), 64), strict=False)
    return address
