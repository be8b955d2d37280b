from __future__ import annotations

from ipaddress import ip_address

import pytest

from cdrd.serve import throttle
from cdrd.serve.throttle import Throttle


class Watch:
    """A stopwatch that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def throttled(failures: int = 3, seconds: float = 60) -> tuple[Throttle, Watch]:
    watch = Watch()
    return Throttle(failures, seconds, watch), watch


ONE, OTHER = ip_address("192.0.2.1"), ip_address("192.0.2.2")


def test_so_many_tries_are_free_and_then_the_window_must_end() -> None:
    door, watch = throttled()
    for _ in range(3):
        assert door.wait(ONE) == 0
        door.begin(ONE)
    watch.now += 20

    assert door.wait(ONE) == 40
    assert door.wait(OTHER) == 0
    watch.now += 40
    assert door.wait(ONE) == 0
    door.begin(ONE)
    assert door.wait(ONE) == 0


def test_what_was_right_does_not_count() -> None:
    door, _ = throttled()
    for _ in range(10):
        door.begin(ONE)
        door.forgive(ONE)

    assert door.wait(ONE) == 0
    assert len(door) == 0
    door.forgive(ONE)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_an_ipv6_host_is_its_whole_network(first: str, second: str, *, same: bool) -> None:
    door, _ = throttled(failures=1)
    door.begin(ip_address(first))

    assert (door.wait(ip_address(second)) > 0) is same


def test_memory_is_bounded_and_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_MOST_ADDRESSES", 100)
    door, _ = throttled(failures=1)
    addresses = [ip_address(f"198.51.{n // 256}.{n % 256}") for n in range(300)]
    for address in addresses:
        door.begin(address)

    assert len(door) == 100
    assert door.wait(addresses[0]) == 0
    assert door.wait(addresses[-1]) > 0
