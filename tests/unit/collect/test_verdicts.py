"""Which generation a file is: the whole table."""

from __future__ import annotations

import pytest

from cdrd.collect.identity import Likeness
from cdrd.collect.verdicts import Home, Verdict, of_path, of_rotated

SAME, SHORTER, UNKNOWN = Likeness.SAME, Likeness.SHORTER, Likeness.UNKNOWN


@pytest.mark.parametrize(
    ("home", "verdict"),
    [
        (Home.HERE, Verdict.GOES_ON),
        (Home.NOWHERE, Verdict.GOES_ON),
        (Home.PATH, Verdict.GOES_ON),
        (Home.REMOVED, Verdict.GOES_ON),
        (Home.ROTATED, Verdict.NEW),
        (Home.ELSEWHERE, Verdict.NEW),
    ],
)
def test_the_file_at_the_path_that_holds_all_of_a_generation(home: Home, verdict: Verdict) -> None:
    assert of_path(SAME, home, settled=False) is verdict


@pytest.mark.parametrize(
    ("home", "longer", "verdict"),
    [
        (Home.HERE, False, Verdict.GOES_ON),
        (Home.NOWHERE, False, Verdict.GOES_ON),
        (Home.PATH, False, Verdict.COPY),
        (Home.REMOVED, False, Verdict.COPY),
        (Home.ELSEWHERE, False, Verdict.COPY),
        (Home.ROTATED, False, Verdict.COPY),
        (Home.ROTATED, True, Verdict.NEW),
    ],
)
def test_a_rotated_file_that_holds_all_of_a_generation(
    home: Home, longer: bool, verdict: Verdict
) -> None:
    assert of_rotated(SAME, home, settled=True, longer=longer) is verdict


def test_what_is_shorter_or_not_whole_is_waited_for_while_it_may_grow() -> None:
    assert of_path(SHORTER, Home.HERE, settled=False) is Verdict.WAIT
    assert of_path(SHORTER, Home.HERE, settled=True) is Verdict.NEW
    assert of_rotated(SHORTER, Home.NOWHERE, settled=False, longer=False) is Verdict.WAIT
    assert of_rotated(SHORTER, Home.NOWHERE, settled=True, longer=False) is Verdict.ENDED
    assert of_path(UNKNOWN, Home.HERE, settled=True) is Verdict.WAIT
    assert of_rotated(UNKNOWN, Home.HERE, settled=True, longer=False) is Verdict.CUT
