from __future__ import annotations

import pytest

from cdrd.serve import passwords
from cdrd.serve.passwords import (
    NOBODY,
    Proven,
    digest,
    fits,
    hash_password,
    new_session,
    new_token,
)


def test_a_password_fits_its_own_hash_only() -> None:
    stored = hash_password("correct horse")

    assert fits(stored, "correct horse")
    assert not fits(stored, "Correct horse")
    assert not fits(NOBODY, "correct horse")
    assert not fits("no hash at all", "correct horse")
    assert stored != hash_password("correct horse")


def test_any_text_can_be_tried() -> None:
    assert not fits(NOBODY, "\0\ud800" * 100)


def test_a_token_has_256_random_bits_behind_a_prefix_that_shows_what_it_is() -> None:
    token = new_token()

    assert token.startswith("cdrd_")
    assert len(token) >= len("cdrd_") + 43
    assert len({new_token(), new_token(), new_session(), new_session()}) == 4
    assert len(digest(token)) == 32
    assert token.encode() not in digest(token)


def test_a_proven_password_is_remembered_for_a_while_and_only_for_its_own_hash() -> None:
    now = [0.0]
    proven = Proven(10, lambda: now[0])
    mark = proven.mark("hash", "password")
    assert not proven.knows(mark)
    proven.remember(mark)

    assert proven.knows(mark)
    assert proven.knows(proven.mark("hash", "password"))
    assert not proven.knows(proven.mark("new hash", "password"))
    assert not proven.knows(proven.mark("hash", "other"))
    now[0] = 10.0
    assert not proven.knows(mark)


def test_proven_passwords_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_REMEMBERED", 10)
    proven = Proven(10, lambda: 0.0)
    marks = [proven.mark("hash", str(n)) for n in range(30)]
    for mark in marks:
        proven.remember(mark)

    assert len(proven) == 10
    assert proven.knows(marks[-1])
    assert not proven.knows(marks[0])
