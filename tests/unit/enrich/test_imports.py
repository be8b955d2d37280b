"""CSV files that companies.yaml imports: the same words and checks as in YAML, for very many lines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdrd.enrich.companies import DirectoryContent, parse_companies
from cdrd.enrich.directory import Directory
from cdrd.owners import Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.yamlfile import read_yaml

PLAN = """
zone: Europe/London
dialling: {country_code: "44", national_prefix: "0"}
pbxs: {hq: {}, branch: {}}
import: numbers.csv
companies:
  acme: {from: 2025-01-01}
  globex: {pbx: branch}
"""
HEADER = "company,kind,value,pbx,from,until,extension,name,ivr\n"


def read(tmp_path: Path, numbers: str, plan: str = PLAN) -> tuple[DirectoryContent, list[str]]:
    (tmp_path / "companies.yaml").write_text(plan)
    (tmp_path / "numbers.csv").write_text(numbers)
    content, problems = parse_companies(read_yaml(tmp_path / "companies.yaml"))
    return content, [problem.replace(f"{tmp_path}/", "") for problem in problems]


def imported(content: DirectoryContent) -> list[Entry]:
    return [entry for entry in content.entries if entry.kind is not EntryKind.ACCOUNT_CODE][1:]


def test_a_line_is_what_an_item_of_a_list_is(tmp_path: Path) -> None:
    yaml = """
    dids: [{number: "01908555101", extension: "101", name: Bob}, {number: "01908555102", ivr: yes}]
    extensions: [101-110, {extension: "120", pbx: [hq, branch], until: 2026-04-01}]
    endpoints: ["PJSIP/acme-{ext}"]
    trunks: [{channel: PJSIP/own, name: own}]
"""
    written, problems = read(
        tmp_path,
        HEADER,
        PLAN.replace("acme: {from: 2025-01-01}", "acme:\n    from: 2025-01-01" + yaml),
    )
    assert problems == []
    content, problems = read(
        tmp_path,
        HEADER
        + "acme,did,01908555101,,,,101,Bob,\n"
        + "acme,did,01908555102,,,,,,yes\n"
        + "acme,extension,101-110,,,,,,\n"
        + "acme,extension,120,hq branch,,2026-04-01,,,\n"
        + 'acme,endpoint,"PJSIP/acme-{ext}",,,,,,\n'
        + "acme,trunk,PJSIP/own,,,,,own,\n",
    )

    assert problems == []
    assert sorted(map(repr, content.entries)) == sorted(map(repr, written.entries))
    assert [path.name for path in content.files] == ["companies.yaml", "numbers.csv"]


def test_columns_stand_in_any_order_and_most_may_be_left_out(tmp_path: Path) -> None:
    content, problems = read(tmp_path, "\ufeffValue; Company ;kind\n 101 ;globex;extension\n\n")

    assert problems == []
    assert imported(content) == [
        Entry(CompanyId("globex"), "branch", EntryKind.EXTENSION, "101", {}, None, None)
    ]


def test_a_number_that_moves_on_a_date_has_two_lines(tmp_path: Path) -> None:
    content, problems = read(
        tmp_path,
        "company,kind,value,from,until\n"
        "acme,did,01908555101,,2026-04-01\nglobex,did,01908555101,2026-04-01,\n",
    )
    directory = Directory.compile(content.as_version(1))

    assert problems == []
    owners = [
        directory.on("branch").did("+441908555101", datetime(2026, 3, 31, hour, 30, tzinfo=UTC))
        for hour in (22, 23)
    ]
    assert [owner and owner.company for owner in owners] == ["acme", "globex"]


def test_what_every_pbx_shares_is_of_no_company(tmp_path: Path) -> None:
    content, problems = read(
        tmp_path,
        "company,kind,value,pbx\n,trunk,PJSIP/carrier,\n,outside_prefix,0,branch\n,did,01,\n",
    )

    assert problems == [
        "numbers.csv:4: its company is missing; only outside_prefix and trunk can have none"
    ]
    assert [(e.company, e.pbx, e.pattern) for e in imported(content)[-2:]] == [
        (None, None, "PJSIP/carrier"),
        (None, "branch", "0"),
    ]


def test_every_problem_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    _, problems = read(
        tmp_path,
        HEADER
        + "acme,did,telephone,,,,,,\n"
        + "acne,did,01908555101,,,,,,\n"
        + "acme,dod,01908555101,,,,,,\n"
        + "acme,did,01908555101,hqs,yesterday,,,,\n"
        + 'acme,did,,,,,,"two\nlines",\n'
        + "acme,did,01908555102,,,2024-01-01,,,\n"
        + "acme,did,01908555103,,,,,,maybe\n"
        + "acme,extension,101,,,,7,,\n"
        + "acme,did\n",
    )

    assert problems == [
        (
            "numbers.csv:2: 'telephone': write a number like 01908555101 or +441908555101,"
            " or a range of them"
        ),
        "numbers.csv:3: there is no company 'acne'; did you mean acme?",
        "numbers.csv:4: there is no kind 'dod'; did you mean did?",
        (
            "numbers.csv:5: from: 'yesterday' is no date; write 2026-04-01 or"
            " 2026-04-01T08:00:00+01:00; pbx[0]: 'hqs' is not known here; did you mean hq?"
        ),
        "numbers.csv:7: its value is empty",
        (
            "numbers.csv:8: until: it is never valid: until 2024-01-01 00:00:00 is not after from"
            " 2025-01-01 00:00:00 (UTC)"
        ),
        "numbers.csv:9: ivr: 'maybe' is neither true nor false",
        "numbers.csv:10: extension: nothing like that can be said of kind extension",
        "numbers.csv:11: 2 values stand below 9 columns",
    ]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ("", "numbers.csv:1: the column company is missing"),
        ("company,kind,value,vaule\n", "there is no column 'vaule'; did you mean value?"),
        ("company,kind,value,kind\n", "the column kind is there twice"),
        ('company,kind,value\nacme,did,"01908', "numbers.csv:2: this is not CSV: "),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path: Path, numbers: str, words: str) -> None:
    _, problems = read(tmp_path, numbers)

    assert words in problems[0]


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path: Path) -> None:
    _, problems = read(tmp_path, "", PLAN.replace("numbers.csv", "none.csv"))
    assert problems[0].startswith("none.csv: cannot be read: ")

    (tmp_path / "latin.csv").write_bytes(b"company,kind,value\nacme,did,\xe9\n")
    _, problems = read(tmp_path, "", PLAN.replace("numbers.csv", "latin.csv"))
    assert problems[0].startswith("latin.csv: cannot be read: ")


def test_what_collides_across_files_names_both_places(tmp_path: Path) -> None:
    plan = PLAN.replace("acme: {from: 2025-01-01}", 'acme: {dids: ["01908555100-01908555199"]}')
    _, problems = read(
        tmp_path,
        "company,kind,value\nglobex,did,+44 1908 555150\nglobex,did,01908555200\nglobex,did,01908555200\n",
        plan,
    )

    assert problems == [
        (
            "numbers.csv:2: number '+441908555150' belongs to acme at the same time,"
            " see companies.yaml:7: companies.acme.dids[0]"
        ),
        "numbers.csv:4: number '01908555200' is listed twice, first at numbers.csv:3",
    ]


def test_of_very_many_problems_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    lines = "".join(f"nobody{n},did,01908{n:06}\n" for n in range(5000))
    _, problems = read(tmp_path, "company,kind,value\n" + lines)

    assert len(problems) == 101
    assert problems[0].startswith("numbers.csv:2: there is no company 'nobody0'")
    assert problems[-1] == "and 4,900 more problems"


def test_a_large_plan_is_read_and_everything_in_it_is_found(tmp_path: Path) -> None:
    companies = [f"company{n}" for n in range(500)]
    plan = "import: [numbers.csv]\ncompanies:\n" + "".join(
        f"  {name}: {{}}\n" for name in companies
    )
    lines = [
        f"{name},{kind},{value}\n"
        for n, name in enumerate(companies)
        for each in range(20)
        for kind, value in (("did", f"+44190{n:04}{each:02}"), ("extension", str(100 + each)))
    ]
    content, problems = read(tmp_path, "company,kind,value\n" + "".join(lines), plan)
    directory = Directory.compile(content.as_version(1))
    now = datetime(2026, 4, 1, tzinfo=UTC)

    assert (problems, len(content.entries)) == ([], 500 * (1 + 40))
    found = [directory.on("").did(f"+44190{n:04}19", now) for n in range(500)]
    assert [did and did.company for did in found] == companies
    assert directory.on("").owns_extension(CompanyId("company7"), "119", now)
    assert len(directory.on("").extension_owners("119", now)) == 2
