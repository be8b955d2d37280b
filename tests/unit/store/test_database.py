"""What a driver's error becomes, in words."""

from __future__ import annotations

import pytest

from cdrd.store.database import translate


@pytest.mark.parametrize(
    ("error", "words"),
    [(ConnectionRefusedError("refused"), "refused"), (TimeoutError(), "TimeoutError")],
)
def test_a_database_that_is_away_is_told_of_with_a_reason(error: Exception, words: str) -> None:
    assert str(translate(error)) == f"the database does not answer: {words}"
