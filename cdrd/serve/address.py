"""Addresses: where the server may listen, and whose a request comes from, also through proxies."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from cdrd.errors import SettingsError
from cdrd.serve.throttle import Address

Network = IPv4Network | IPv6Network


def networks(words: Iterable[str]) -> tuple[Network, ...]:
    """The trusted proxies of the settings; raises SettingsError with all that are none."""
    found, problems = [], []
    for word in words:
        try:
            found.append(ip_network(word, strict=False))
        except ValueError as error:
            problems.append(f"serve.trusted_proxies: {error}")
    if problems:
        raise SettingsError(problems)
    return tuple(found)


def why_not_bound(host: str, port: int) -> str | None:
    """Why nothing can listen there at this moment, in the system's words; None where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return None


def client_address(
    peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]
) -> Address:
    """The nearest address that is not one of our proxies.

    X-Forwarded-For is believed from the right, as long as the one who wrote it is trusted: what is
    further left was written by the caller.
    """
    address = _parsed(peer or "") or IPv6Address("::")
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    while hops and any(address in network for network in trusted):
        before = _parsed(hops.pop())
        if before is None:
            break
        address = before
    return address


def _parsed(word: str) -> Address | None:
    """An address as proxies write it, some with the port behind it; None when it is none."""
    if word.startswith("["):
        word = word[1:].partition("]")[0]
    elif word.count(":") == 1:
        word = word.partition(":")[0]
    try:
        address = ip_address(word.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
