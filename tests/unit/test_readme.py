"""The README tells the truth: what can be pasted is right, and what is listed is all there is."""

from __future__ import annotations

import ast
import csv
import json
import re
from pathlib import Path
from typing import Any

import click
from prometheus_client import Metric

from cdrd.cli import cli
from cdrd.collect.carriers import load_mapping
from cdrd.decode.cel_columns import SAMPLE, fields_of_columns
from cdrd.decode.decoders import Shape, decoder_for
from cdrd.errors import ExitCode
from cdrd.forward_settings import ForwardSettings
from cdrd.metrics import REGISTRY
from cdrd.records import Decoded, SourceKind
from cdrd.settings import load_settings
from cdrd.settings_file import read_settings
from cdrd.source_settings import SourceSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAIN = ROOT / "tests" / "captures" / "main" / "cdr-custom"
FULL_CSV = [
    *("accountcode", "peeraccount", "src", "dst", "dcontext", "clid", "channel", "dstchannel"),
    *("lastapp", "lastdata", "start", "start:iso", "answer", "answer:iso", "end", "end:iso"),
    *("duration", "billsec", "disposition", "amaflags", "uniqueid", "linkedid", "sequence"),
    *("userfield", "trunkname", "dialfull", "authuser"),
]
"""The columns of the captured full.csv, by the names of the settings."""


def blocks(language: str) -> list[str]:
    """What stands in fences of that language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for found, text in fenced if found == language]


def sources(folder: Path) -> list[SourceSettings]:
    """The source of each piece of settings that can be pasted."""
    found: list[SourceSettings] = []
    for number, block in enumerate(blocks("yaml")):
        if block.startswith("collector:"):  # these are for the PBX
            continue
        path = folder / f"{number}.yaml"
        path.write_text(block, encoding="utf-8")
        found += load_settings(path, environment={}).sources
    return found


def test_every_piece_of_settings_is_valid(tmp_path: Path) -> None:
    kinds = {source.kind for source in sources(tmp_path)}

    assert kinds == {
        SourceKind.ASTERISK_CSV,
        SourceKind.ASTERISK_CUSTOM,
        SourceKind.ASTERISK_JSON,
        SourceKind.ASTERISK_CEL,
        SourceKind.ASTERISK_QUEUE_LOG,
        SourceKind.ASTERISK_AMI,
        SourceKind.FREESWITCH,
        SourceKind.YEASTAR,
        SourceKind.GRANDSTREAM,
        SourceKind.THREECX,
        SourceKind.CARRIER,
    }


def test_the_carriers_file_is_one(tmp_path: Path) -> None:
    (block,) = [block for block in blocks("") if block.startswith("columns:")]
    path = tmp_path / "alpha.yaml"
    path.write_text(block, encoding="utf-8")

    assert load_mapping(path).decimal_mark == ","


def test_what_a_pbx_forwards_is_a_source_of_its_collector(tmp_path: Path) -> None:
    [block] = [block for block in blocks("yaml") if block.startswith("collector:")]
    path = tmp_path / "forward.yaml"
    path.write_text(block, encoding="utf-8")
    forwarded = {source.name for source in sources(tmp_path) if source.way == "forward"}

    assert {source.name for source in read_settings(path, ForwardSettings).sources} == forwarded


def test_the_columns_are_those_of_the_configuration_beside_them(tmp_path: Path) -> None:
    """`start(%F %T.%6q %z)` is `start:iso`, `${CDR(start,u)}` is `start:epoch`."""
    new, old, *_ = [block for block in blocks("ini") if "accountcode" in block]
    fields = re.search(r"^fields = (.*)$", new, re.MULTILINE)
    assert fields is not None
    by_field = [
        re.sub(r"\(%.*\)$", ":iso", field).removesuffix("(uservar)")
        for field in fields[1].split(",")
    ]
    by_function = [
        name + (":epoch" if number else "")
        for name, number in re.findall(r"\$\{CDR\((\w+)(,u)?\)\}", old)
    ]
    custom = [s for s in sources(tmp_path) if s.kind is SourceKind.ASTERISK_CUSTOM]

    assert [list(source.columns) for source in custom] == [by_field, by_function]


def test_the_columns_of_channel_events_are_those_that_are_read_without_being_named() -> None:
    new, old = [block for block in blocks("ini") if "eventextra" in block]
    fields = re.search(r"^fields = (.*)$", new, re.MULTILINE)
    assert fields is not None
    assert tuple(fields[1].split(",")) == SAMPLE
    by_function = re.findall(r"\$\{CSV_QUOTE\(\$\{([^}]+)\}\)\}", old)
    assert fields_of_columns(by_function) == fields_of_columns(SAMPLE)


def test_records_of_the_recommended_configuration_become_legs(tmp_path: Path) -> None:
    """Captured records, without the columns that the recommended configuration does not write."""
    source = next(s for s in sources(tmp_path) if s.kind is SourceKind.ASTERISK_CUSTOM)
    decoder = decoder_for(Shape(kind=source.kind, columns=tuple(source.columns)))
    with (MAIN / "full.csv").open(newline="", encoding="utf-8", errors="replace") as file:
        rows = [dict(zip(FULL_CSV, row, strict=True)) for row in csv.reader(file)][:100]

    for row in rows:
        values = (row[name].replace('"', '""') for name in source.columns)
        raw = ('"' + '","'.join(values) + '"\n').encode()
        decoded = decoder.record(raw, line=1, offset=0)
        assert isinstance(decoded, Decoded)
        assert decoded.leg.linkedid == row["linkedid"]
        assert (
            decoded.leg.calldate.isoformat()[:19].replace("T", " ") > row["start"]
        )  # UTC is later


def test_the_json_fields_are_those_that_were_captured() -> None:
    (block,) = [block for block in blocks("ini") if "format = json" in block]
    fields = re.search(r"^fields = (.*)$", block, re.MULTILINE)
    assert fields is not None
    record = json.loads((MAIN / "full.json").read_bytes().partition(b"\n")[0])

    assert set(fields[1].replace("(uservar)", "").split(",")) <= set(record)


def metric_names() -> set[str]:
    families: list[Metric] = list(REGISTRY.collect())
    return {f.name + ("_total" if f.type == "counter" else "") for f in families}


def test_every_metric_is_listed_and_no_other() -> None:
    assert set(re.findall(r"`(cdrd_\w+)`", README)) == metric_names()


def test_the_exit_codes_are_those_of_the_program() -> None:
    table = README.partition("| code | meaning |")[2].partition("\n\n")[0]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == [
        int(code) for code in ExitCode
    ]


def test_python_in_it_is_python() -> None:
    for block in blocks("python"):
        ast.parse(block)


def test_json_in_it_has_the_keys_of_the_dialect() -> None:
    answers = [json.loads(block) for block in blocks("json")]
    (answer,) = [answer for answer in answers if "values" in answer]
    row: dict[str, Any] = answer["values"][0]

    assert {"result", "minID", "maxRows", "values", "numrows", "numRows"} == set(answer)
    assert {"acctid", "calldate", "uniqueid", "linkedid", "properties"} < set(row)


def commands() -> set[str]:
    """What stands behind `cdrd` in every line that can be pasted, and within sentences."""
    lines = [line for block in blocks("") for line in block.splitlines()]
    quoted = re.findall(r"`(cdrd [^`]+)`", README)
    pasted = [line for line in lines if line.startswith("cdrd ")]
    return {re.sub(r"  +#.*", "", text).removeprefix("cdrd ") for text in (*quoted, *pasted)}


def test_every_command_exists() -> None:
    for words in commands():
        command: click.Command = cli
        for word in words.split():
            if isinstance(command, click.Group):
                command = command.get_command(click.Context(command), word) or command
        assert not isinstance(command, click.Group), f"cdrd {words}"


def test_links_within_it_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([\w-]+)\)", README)) <= anchors


def test_each_sentence_has_a_line_of_its_own() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in prose.splitlines() if not line.startswith("|")]

    assert [line for line in lines if re.search(r"[a-z`)]\. [A-Z]", line)] == []
