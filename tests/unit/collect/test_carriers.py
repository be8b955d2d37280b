"""A carrier's file of settings becomes a mapping, or all that is wrong with it at once."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cdrd.beside import CarrierRow
from cdrd.checks import check_settings
from cdrd.collect.carriers import load_mapping
from cdrd.decode.carrier import carrier_rows
from cdrd.decode.carrier_mapping import FIELDS, CarrierMapping
from cdrd.errors import SettingsError
from cdrd.settings import Settings
from cdrd.yamlfile import read_yaml

SAMPLES = Path(__file__).parents[3] / "config" / "carriers"
EXAMPLE = SAMPLES / "example.yaml"
_COMMENTED_OUT = re.compile(r"^( *)#(?=[a-z_]+:)", re.MULTILINE)
NEEDED = "columns: {date: 1, caller: 2, called: 3, duration: 4, cost: 5}\ncurrency: EUR\n"


def problems(folder: Path, text: str) -> list[str]:
    path = folder / "alpha.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_mapping(path)
    return [problem.removeprefix(f"{path}:") for problem in error.value.problems]


def loaded(folder: Path, text: str) -> CarrierMapping:
    path = folder / "alpha.yaml"
    path.write_text(text, encoding="utf-8")
    return load_mapping(path)


def test_the_sample_has_every_key_and_every_field_with_the_real_default(tmp_path: Path) -> None:
    everything = _COMMENTED_OUT.sub(r"\1", EXAMPLE.read_text(encoding="utf-8"))

    on = loaded(tmp_path, everything)
    assert on == load_mapping(EXAMPLE)
    keys = read_yaml(tmp_path / "alpha.yaml").data
    assert set(keys) == {field.name for field in fields(CarrierMapping)}
    assert tuple(keys["columns"]) == FIELDS


def test_the_samples_own_words_about_semicolons_are_true() -> None:
    path = SAMPLES / "example-semicolons.yaml"
    words = re.findall(r"^#   (.*)$|^#()$", path.read_text(encoding="utf-8"), re.MULTILINE)
    shown = [line for line, _ in words][1:]

    [row] = carrier_rows([f"{line}\n".encode("cp1252") for line in shown], load_mapping(path))

    assert isinstance(row, CarrierRow)
    assert (row.line, row.cost, row.duration) == (4, Decimal("0.0250"), 61)
    assert row.calldate == datetime(2026, 11, 21, 12, 24, 47, tzinfo=UTC)


def test_samples_fit_a_wide_terminal() -> None:
    for path in SAMPLES.iterdir():
        assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = (
        "columns:\n  price: 4\n  date: 0\n  caller: From\n  called:\n  cost: Cost\n"
        'delimiter: ";;"\nheader_lines: one\nfooter_lines: 99\nzone: Mars\ncurrency: pounds\n'
        "cost_unit: 0\nnonsense: 1\nencoding: utf-16\ndate_format: later\n"
    )
    found = problems(tmp_path, text)
    for line, words in [
        (2, "columns.price: is no field"),
        (3, "columns.date: columns are counted from 1"),
        (5, "columns.called: write the column's name"),
        (2, "columns: duration is missing"),
        (7, "delimiter: one character"),
        (8, "header_lines: "),
        (9, "footer_lines: 0 to 20"),
        (10, "zone: Mars is no time zone"),
        (11, "currency: "),
        (12, "cost_unit: any number but 0"),
        (13, "nonsense: there is no such key"),
        (14, "encoding: utf-16"),
        (15, "date_format: later is no date"),
    ]:
        assert any(problem.startswith(f"{line}: {words}") for problem in found), (words, found)
    assert len(found) == 13


@pytest.mark.parametrize(
    "text", ["- a\n", "columns: x\n", "", "columns:\n  date: {a: b}\n", "a: [\n"]
)
def test_whatever_is_in_a_file_it_is_a_mapping_or_settings_that_are_wrong(
    tmp_path: Path, text: str
) -> None:
    assert problems(tmp_path, text)


def test_numbers_are_columns_and_yaml_makes_nothing_else_of_words(tmp_path: Path) -> None:
    found = loaded(tmp_path, NEEDED + "quote: none\ncost_unit: 0.010\nstrip_prefixes: [0044, 00]\n")
    assert found.columns == {"date": 1, "caller": 2, "called": 3, "duration": 4, "cost": 5}
    assert (found.quote, found.cost_unit) == (None, Decimal("0.010"))
    assert found.strip_prefixes == ("0044", "00")


def check(folder: Path | None, *sources: dict[str, str]) -> list[str]:
    try:
        check_settings(
            Settings.model_validate({"collect": {"carriers": folder}, "sources": sources})
        )
    except SettingsError as error:
        return error.problems
    return []


def source(carrier: str) -> dict[str, str]:
    return {"name": carrier, "kind": "carrier", "carrier": carrier, "drop": "/srv/carrier/*.csv"}


def test_settings_with_carriers_are_checked_with_all_their_files(tmp_path: Path) -> None:
    (tmp_path / "alpha.yaml").write_text(NEEDED)
    assert check(tmp_path, source("alpha")) == []
    (tmp_path / "beta.yaml").write_text(NEEDED + "zone: Mars\n")
    assert check(tmp_path, source("alpha"), source("gamma")) == [
        f"{tmp_path}/beta.yaml:3: zone: Mars is no time zone",
        f"{tmp_path}/gamma.yaml: there is no such file for the carrier gamma; there are: alpha, beta",
    ]
    assert check(tmp_path / "no") == [f"collect.carriers: {tmp_path}/no is no folder"]
    [missing] = check(None, source("alpha"))
    assert missing.startswith("collect.carriers: name the folder with alpha.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"carrier": None}, "go together"),
        ({"kind": "asterisk-csv"}, "go together"),
        ({"zone": "Europe/London"}, "zone: belongs in the carrier's own file"),
        ({"drop": "", "path": "/x.csv"}, "carrier takes one of drop"),
    ],
)
def test_a_source_of_a_carrier_is_a_drop_folder_and_says_no_more(
    change: dict[str, str | None], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Settings.model_validate({"sources": [{**source("alpha"), **change}]})
