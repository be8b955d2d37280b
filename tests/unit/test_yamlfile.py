"""YAML stays the text that the operator wrote, and each value knows its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdrd.errors import SettingsError
from cdrd.yamlfile import YamlDocument, dotted, read_yaml


def read(folder: Path, text: str) -> YamlDocument:
    path = folder / "file.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)


def problems(folder: Path, content: bytes) -> list[str]:
    path = folder / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_yaml(path)
    return [problem.replace(str(path), "FILE") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "01302123456",  # an octal number to YAML 1.1
        "0x1F",
        "NO",  # False
        "on",
        "18:30",  # 1110, in sixties
        "1.10",
        "1_000",
        "2026-11-21",  # a date
        "null",
        "~",
        "1e3",
        ".inf",
    ],
)
def test_a_scalar_stays_the_text_that_was_written(tmp_path: Path, text: str) -> None:
    assert {"value": text} == read(tmp_path, f"value: {text}\n").data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# only a comment\n", {}),
        ("a:\n", {"a": ""}),
        ("a: {b: [c, 'd: e', \"f\\tg\"]}\n", {"a": {"b": ["c", "d: e", "f\tg"]}}),
        ("0101: x\n", {"0101": "x"}),
    ],
)
def test_mappings_lists_and_quoted_texts_are_read(
    tmp_path: Path, text: str, expected: dict[str, Any]
) -> None:
    assert expected == read(tmp_path, text).data


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    text = b"companies:\n  acme:\n    name: Acme\n    dids: []\n    name: Other\n"

    assert problems(tmp_path, text) == [
        "FILE:5: companies.acme.name is given twice, first in line 3"
    ]


def test_every_key_given_twice_is_told_at_once(tmp_path: Path) -> None:
    assert problems(tmp_path, b"a: 1\na: 2\nb: 1\nb: 2\n") == [
        "FILE:2: a is given twice, first in line 1",
        "FILE:4: b is given twice, first in line 3",
    ]


def test_keys_that_yaml_would_call_equal_numbers_are_two_keys(tmp_path: Path) -> None:
    assert read(tmp_path, "10: a\n010: b\n").data == {"10": "a", "010": "b"}


def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"a: 1\nb: [2\nc: 3\n")

    assert problem.startswith("FILE:3: this is not YAML: ")


def test_a_tab_as_indentation_is_refused_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"a:\n\tb: 1\n")

    assert problem.startswith("FILE:2: this is not YAML: ")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"name: soci\xe9t\xe9\n")

    assert problem.startswith("FILE: cannot be read: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: cannot be read"):
        read_yaml(tmp_path / "none.yaml")


def test_aliases_are_refused_so_that_no_document_grows_while_it_is_read(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

    assert any(
        "aliases (*name) are not supported" in told for told in problems(tmp_path, bomb.encode())
    )


def test_a_document_that_holds_itself_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, b"a: &a\n  b: *a\n") == [
        "FILE:2: a.b: aliases (*name) are not supported"
    ]


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{b: " * 3000 + "}" * 3000, "- " * 5000])
def test_a_document_that_is_nested_without_end_is_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text.encode()) == [
        "FILE:1: lists and keys are nested deeper than 50 levels"
    ]


def test_one_file_is_one_document(tmp_path: Path) -> None:
    assert problems(tmp_path, b"a: 1\n---\nb: 2\n") == [
        "FILE:2: a second document begins here; one file is one document"
    ]


def test_a_key_that_is_no_text_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, b"? [a, b]\n: c\n") == ["FILE:1: a key must be a text"]


def test_a_place_is_told_with_file_line_and_path(tmp_path: Path) -> None:
    document = read(tmp_path, "serve:\n  host: x\nsources:\n  - name: a\n  - name: b\n")

    assert f"{document.path}:2: serve.host" == document.where(("serve", "host"))
    assert f"{document.path}:5: sources[1].name" == document.where(("sources", 1, "name"))


def test_a_place_that_is_missing_is_told_with_the_line_of_what_is_around_it(
    tmp_path: Path,
) -> None:
    document = read(tmp_path, "serve:\n  host: x\nsources:\n  - name: a\n")

    assert f"{document.path}:4: sources[0].path" == document.where(("sources", 0, "path"))
    assert f"{document.path}:1: logs.level" == document.where(("logs", "level"))


def test_a_place_reads_as_a_path() -> None:
    assert dotted(("companies", "acme", "dids", 2)) == "companies.acme.dids[2]"
