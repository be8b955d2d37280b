"""cdrd.yaml: every mistake at once with its line, and values that mean what the operator wrote."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from cdrd.errors import ExitCode, SettingsError
from cdrd.records import SourceKind
from cdrd.settings import Settings, load_settings

SOURCE = "sources:\n  - name: hq\n    kind: asterisk-csv\n    path: /pbx/Master.csv\n"


def load(folder: Path, text: str, *, environment: dict[str, str] | None = None) -> Settings:
    path = folder / "cdrd.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment=environment or {})


def problems(folder: Path, text: str, *, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, text, environment=environment)
    assert caught.value.exit_code == ExitCode.CONFIG
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Settings()


def test_a_section_whose_keys_are_all_commented_out_is_all_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "serve:\n  # port: 1\nsources:\n") == Settings()


def test_a_section_that_does_not_exist_is_told_even_when_it_is_empty(tmp_path: Path) -> None:
    assert problems(tmp_path, "srve:\n") == ["cdrd.yaml:1: srve: there is no such key"]


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
database:
  pool_size: 2
  pool: 10
sources:
  - name: HQ
    kind: asterisk-cvs
    zone: Europe/Lodnon
  - name: branch
    kind: asterisk-csv
    path: /pbx/Master.csv
    idle_poll: 50
serve:
  port: http
  max_body: 64 kB
logs:
  level: verbose
"""

    told = problems(tmp_path, text)

    places = [problem.split(": ")[:2] for problem in told]
    assert places == [
        ["cdrd.yaml:2", "database.pool_size"],
        ["cdrd.yaml:3", "database.pool"],
        ["cdrd.yaml:5", "sources[0].name"],
        ["cdrd.yaml:6", "sources[0].kind"],
        ["cdrd.yaml:5", "sources[0].path"],
        ["cdrd.yaml:7", "sources[0].zone"],
        ["cdrd.yaml:11", "sources[1].idle_poll"],
        ["cdrd.yaml:13", "serve.port"],
        ["cdrd.yaml:14", "serve.max_body"],
        ["cdrd.yaml:16", "logs.level"],
    ]
    assert told[1].endswith("there is no such key")
    assert told[2].endswith("'HQ' is no name; write small letters, digits and . _ -, up to 63")
    assert "'asterisk-cvs' should be 'asterisk-csv'" in told[3]
    assert told[4].endswith("this key is needed")
    assert told[5].endswith("write one like Europe/London, or UTC")
    assert told[6].endswith("write a number and a unit: 250ms, 10s, 5m, 2h, 1d")


def test_a_file_that_is_a_list_is_told_what_settings_look_like(tmp_path: Path) -> None:
    assert problems(tmp_path, "- a\n- b\n") == [
        "cdrd.yaml:1: this is a list or a text; settings are `section:` and keys"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("10s", timedelta(seconds=10)),
        ("1.5 s", timedelta(seconds=1.5)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(tmp_path: Path, text: str, expected: timedelta) -> None:
    assert expected == load(tmp_path, f"serve:\n  deadline: {text}\n").serve.deadline


@pytest.mark.parametrize(
    "text", ["10", "10 seconds", "-1s", "1h30m", "s", "1e3s", "[10s]", "999999999999d"]
)
def test_anything_else_is_no_duration(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, f"serve:\n  deadline: {text}\n")

    assert problem.startswith("cdrd.yaml:2: serve.deadline: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("4096", 4096), ("4096B", 4096), ("64KiB", 65536), ("2 MiB", 2 << 20), ("064KiB", 65536)],
)
def test_a_size_is_bytes_or_has_a_unit(tmp_path: Path, text: str, expected: int) -> None:
    assert expected == load(tmp_path, f"serve:\n  max_body: {text}\n").serve.max_body


@pytest.mark.parametrize("text", ["64k", "64 KB", "1.5MiB", "-1", "0x40", "100"])
def test_anything_else_is_no_size(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, f"serve:\n  max_body: {text}\n")

    assert problem.startswith("cdrd.yaml:2: serve.max_body: ")


def test_a_name_that_looks_like_an_octal_number_stays_as_it_is(tmp_path: Path) -> None:
    text = "sources:\n  - {name: 0101, pbx: 010, kind: asterisk-csv, path: 0777}\n"

    (source,) = load(tmp_path, text).sources

    assert (source.name, source.pbx, source.path) == ("0101", "010", "0777")


def test_yes_and_no_are_words_where_words_are_wanted(tmp_path: Path) -> None:
    text = "sources:\n  - {name: no, pbx: on, kind: asterisk-csv, path: a}\n"

    (source,) = load(tmp_path, text).sources

    assert (source.name, source.pbx) == ("no", "on")


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("yes", True), ("false", False)])
def test_yes_and_no_are_truth_values_where_those_are_wanted(
    tmp_path: Path, word: str, *, expected: bool
) -> None:
    assert load(tmp_path, f"database:\n  migrate: {word}\n").database.migrate is expected


def test_a_source_has_sensible_defaults(tmp_path: Path) -> None:
    (source,) = load(tmp_path, SOURCE).sources

    assert SourceKind.ASTERISK_CSV is source.kind
    assert (source.zone, source.columns, source.pbx) == ("UTC", "auto", "default")


@pytest.mark.parametrize(
    "text", ["pbx", "pbx:0", "pbx:65536", "pbx..example:5038", f"{64 * 'x'}:5038", "p b x:5038"]
)
def test_an_address_is_a_host_and_a_port(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, f"sources:\n  - {{name: hq, kind: 3cx, connect: '{text}'}}\n")

    assert f"{text!r} is no address" in problem


def test_columns_are_auto_or_a_list(tmp_path: Path) -> None:
    (source,) = load(tmp_path, SOURCE + "    columns: [src, dst, start]\n").sources

    assert source.columns == ("src", "dst", "start")


def test_custom_lines_need_their_columns(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SOURCE.replace("asterisk-csv", "asterisk-custom"))

    assert problem.endswith("columns: asterisk-custom needs the list of its columns")


def test_two_sources_cannot_have_one_name(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, SOURCE + SOURCE.removeprefix("sources:\n"))

    assert problem.endswith("sources: the name 'hq' is given twice")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serve:\n  default_rows: 600\n  max_rows: 500\n", "default_rows (600) is more than"),
        ("serve:\n  certificate: a.pem\n", "certificate and key go together"),
        ("database:\n  dsn: a\n  dsn_file: b\n", "give dsn or dsn_file, not both"),
    ],
)
def test_keys_that_do_not_fit_together_are_told(tmp_path: Path, text: str, words: str) -> None:
    (problem,) = problems(tmp_path, text)

    assert words in problem


def test_the_dsn_comes_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("postgresql://cdrd:pw@db/cdrd\n")

    settings = load(tmp_path, f"database:\n  dsn_file: {tmp_path}/secret\n")

    assert settings.database.dsn == "postgresql://cdrd:pw@db/cdrd"


def test_the_dsn_comes_from_the_credential_of_systemd(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://cdrd:pw@db/cdrd\n")

    settings = load(tmp_path, "", environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert settings.database.dsn == "postgresql://cdrd:pw@db/cdrd"


def test_a_dsn_in_the_settings_wins_over_the_credential(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("postgresql://from-the-credential\n")

    settings = load(
        tmp_path,
        "database:\n  dsn: postgresql://from-the-settings\n",
        environment={"CREDENTIALS_DIRECTORY": str(tmp_path)},
    )

    assert settings.database.dsn == "postgresql://from-the-settings"


def test_a_credential_that_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    where = tmp_path / ("x" * 300)  # as where a folder may not be entered, which root always may

    (problem,) = problems(tmp_path, "", environment={"CREDENTIALS_DIRECTORY": str(where)})

    assert problem.startswith(f"database.dsn_file: {where}/dsn cannot be read: "), problem


def test_credentials_of_other_names_are_not_the_dsn(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x")

    settings = load(tmp_path, "", environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})

    assert not settings.database.dsn


def test_a_dsn_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f"database:\n  dsn_file: {tmp_path}/none\n")

    assert problem.startswith("database.dsn_file: ")
    assert "cannot be read" in problem


def test_the_dsn_beside_the_settings_serves_the_commands_of_root(tmp_path: Path) -> None:
    """What systemd makes the credential of is found without systemd, too."""
    (tmp_path / "dsn").write_text("postgresql://beside\n")
    settings = load(tmp_path, "", environment={})

    assert settings.database.dsn == "postgresql://beside"


def test_the_dsn_is_in_no_repr(tmp_path: Path) -> None:
    settings = load(tmp_path, "database:\n  dsn: postgresql://cdrd:hush@db/cdrd\n", environment={})

    assert "hush" not in repr(settings)
