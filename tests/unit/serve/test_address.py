from __future__ import annotations

import pytest

from cdrd.errors import SettingsError
from cdrd.serve.address import client_address, networks

TRUSTED = networks(["10.0.0.0/8", "fd00::1"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("fd00::1", ["[2001:db8::5]:4711"], "2001:db8::5"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7, garbage"], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("fe80::1%eth0", [], "fe80::1"),
        (None, [], "::"),
    ],
)
def test_the_client_is_the_nearest_address_that_is_no_proxy_of_ours(
    peer: str | None, forwarded: list[str], client: str
) -> None:
    assert str(client_address(peer, forwarded, TRUSTED)) == client


def test_what_is_no_network_is_said_all_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        networks(["10.0.0.0/8", "proxy", "10.0.0.0/99"])

    assert len(error.value.problems) == 2
