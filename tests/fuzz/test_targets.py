"""What the fuzzer asks of every decoder holds of what a PBX writes, and of damaged forms of it."""

from __future__ import annotations

import pytest
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

_NOISE = st.binary(max_size=6) | st.sampled_from(
    [
        b'"',
        b'""',
        b",",
        b'","',
        b"\n",
        b"\r\n",
        b'"\n"',
        b"\\",
        b'\\"',
        b"{",
        b"}",
        b"|",
        b"\0",
        b"\xff",
    ]
)
_DAMAGE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), _NOISE), max_size=4)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_survived(name: str) -> None:
    target = TARGETS[name]()
    for seed in target.seeds():
        target.check(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_survived_and_the_neighbours_with_it(name: str) -> None:
    target = TARGETS[name]()
    seeds = st.sampled_from(list(target.seeds()))

    @settings(max_examples=60, deadline=None)
    @given(seed=seeds, damage=_DAMAGE)
    def holds(seed: bytes, damage: list[tuple[float, int, bytes]]) -> None:
        data = seed
        for where, lost, noise in damage:
            at = int(where * len(data))
            data = data[:at] + noise + data[at + lost :]
        target.check(data)

    holds()
