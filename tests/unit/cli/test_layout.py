"""What commands print fits a terminal, and is never cut elsewhere."""

from __future__ import annotations

import sys

import pytest

from cdrd.cli.layout import aligned, wrapped

LONG = "the calling channel PJSIP/northwind-reception-1 is an endpoint of northwind (rule calling-endpoint)"


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    rows = [("id", "name", "state"), ("1", "société générale", ""), ("22", "名前", "waiting")]

    assert list(aligned(rows, indent=" ")) == [
        " id  name              state",
        " 1   société générale",
        " 22  名前              waiting",
    ]
    assert list(aligned([])) == []


def test_a_sentence_stays_one_line_where_no_terminal_is() -> None:
    assert wrapped(LONG, indent="  ") == f"  {LONG}"


def test_a_sentence_goes_on_below_itself_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    lines = wrapped(LONG, indent="  ").splitlines()

    assert [line[:6] for line in lines] == ["  the ", "      "]
    assert max(map(len, lines)) <= 60
    assert " ".join(line.strip() for line in lines) == LONG
