"""companies.yaml: everything that is wrong with it is said at once, with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdrd.enrich.companies import DirectoryContent, load_companies, parse_companies
from cdrd.errors import ExitCode, SettingsError
from cdrd.owners import EntryKind
from cdrd.yamlfile import read_yaml

REPOSITORY = Path(__file__).parents[3]


def read(text: str, tmp_path: Path) -> tuple[DirectoryContent, list[str]]:
    path = tmp_path / "companies.yaml"
    path.write_text(text)
    content, problems = parse_companies(read_yaml(path))
    return content, [problem.replace(str(path), "companies.yaml") for problem in problems]


def test_the_sample_is_a_valid_example() -> None:
    content = load_companies(REPOSITORY / "config" / "companies.yaml")

    assert [c.company for c in content.companies] == ["northwind", "contoso", "house"]
    # all kinds of entry are shown
    assert set(EntryKind) == {entry.kind for entry in content.entries}


def test_the_sample_shows_every_key() -> None:
    text = (REPOSITORY / "config" / "companies.yaml").read_text()
    listed = (REPOSITORY / "cdrd" / "enrich" / "companies.py").read_text()
    keys = [line.split('"')[1] for line in listed.splitlines() if line.startswith('    "')]

    assert [key for key in keys if f"{key}:" not in text] == []


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    _, problems = read(
        """zone: Europe/Londn
pbxs: {hq: {}}
trunks: [{name: lonely}]
companies:
  acme:
    nmae: Acme
    dids:
      - "01908555101"
      - {number: telephone}
    endpoints: ["PJSIP/*-{ext}"]
    from: 2026-04-01
    until: 2026-03-01
    pays: {outbound: globx, weekends: acme}
  globex:
    default: perhaps
    endpoints: {}
""",
        tmp_path,
    )

    assert problems == [
        "companies.yaml:1: zone: 'Europe/Londn' is no time zone; write one like Europe/London, or UTC",
        "companies.yaml:3: trunks[0]: its channel is missing",
        "companies.yaml:6: companies.acme.nmae: there is no such key; did you mean name?",
        (
            "companies.yaml:9: companies.acme.dids[1].number: 'telephone': write a number like"
            " 01908555101 or +441908555101, or a range of them"
        ),
        (
            "companies.yaml:10: companies.acme.endpoints[0]: 'PJSIP/*-{ext}':"
            " only one * or {ext} can stand in a pattern"
        ),
        (
            "companies.yaml:12: companies.acme.until: it is never valid: until 2026-03-01 00:00:00 is"
            " not after from 2026-04-01 00:00:00 (UTC)"
        ),
        (
            "companies.yaml:13: companies.acme.pays.weekends: there is no such key; there is auth,"
            " forward, inbound, internal, onnet, outbound, transfer"
        ),
        (
            "companies.yaml:13: companies.acme.pays.outbound: 'globx' is neither a role nor a company;"
            " did you mean globex?"
        ),
        "companies.yaml:15: companies.globex.default: 'perhaps' is neither true nor false",
        "companies.yaml:16: companies.globex.endpoints: here belongs a list",
    ]


def test_problems_in_the_items_of_lists(tmp_path: Path) -> None:
    _, problems = read(
        """pbxs: {branch: {}}
companies:
  acme:
    dids:
      - {number: telephone}
      - {number: "01908555102", pbx: bracnh}
      - {number: "01908555103", until: tomorrow}
      - [list]
    extensions: [110-101, 1 2]
    endpoints: ["PJSIP/*-{ext}", ""]
    account_codes: [">100-200000"]
    feature_codes: {pikup: ["*8"], other: ["call me"]}
""",
        tmp_path,
    )

    assert problems == [
        (
            "companies.yaml:5: companies.acme.dids[0].number: 'telephone': write a number like"
            " 01908555101 or +441908555101, or a range of them"
        ),
        "companies.yaml:6: companies.acme.dids[1].pbx: 'bracnh' is not known here; did you mean branch?",
        (
            "companies.yaml:7: companies.acme.dids[2].until: 'tomorrow' is no date;"
            " write 2026-04-01 or 2026-04-01T08:00:00+01:00"
        ),
        "companies.yaml:8: companies.acme.dids[3]: here belongs a text, not a list",
        "companies.yaml:9: companies.acme.extensions[0]: '110-101': 110 is after 101",
        (
            "companies.yaml:9: companies.acme.extensions[1]: '1 2': write an extension like 101,"
            " or a range like 101-110"
        ),
        (
            "companies.yaml:10: companies.acme.endpoints[0]: 'PJSIP/*-{ext}':"
            " only one * or {ext} can stand in a pattern"
        ),
        "companies.yaml:10: companies.acme.endpoints[1]: it is empty",
        (
            "companies.yaml:11: companies.acme.account_codes[0]: '>100-200000':"
            " 100 and 200000 have not the same number of digits"
        ),
        (
            "companies.yaml:12: companies.acme.feature_codes.pikup: there is no such key;"
            " did you mean pickup?"
        ),
        (
            "companies.yaml:12: companies.acme.feature_codes.other[0]: 'call me': write digits,"
            " or a range like 101-110"
        ),
    ]


TWO = """
dialling: {{country_code: "44", national_prefix: "0"}}
pbxs: {{hq: {{}}, branch: {{}}}}
companies:
  acme:
    {acme}
  globex:
    {globex}
"""


@pytest.mark.parametrize(
    ("acme", "globex", "words"),
    [
        ('dids: ["01908555101"]', 'dids: ["+44 1908 555101"]', "number '+441908555101'"),
        ('dids: ["01908555100-01908555199"]', 'dids: ["01908555150"]', "number '01908555150'"),
        ('endpoints: ["PJSIP/a-*"]', 'endpoints: ["PJSIP/a-*"]', "channel 'PJSIP/a-*'"),
        ('endpoints: ["PJSIP/t"]', 'trunks: ["PJSIP/t"]', "channel 'PJSIP/t'"),
        ("contexts: [shared]", "contexts: [shared]", "context 'shared'"),
        ("account_codes: [x]", "account_codes: [x]", "account code 'x'"),
        ("account_codes: [globex]", "name: Globex", "account code 'globex'"),
        ("default: true", "default: true", "default company"),
        ("contexts: [c]", "contexts: [{context: c, pbx: hq}]", "context 'c'"),
        (
            "contexts: [{context: c, until: 2026-05-01}]",
            "contexts: [{context: c, from: 2026-04-30}]",
            "context 'c'",
        ),
    ],
)
def test_what_two_companies_own_at_the_same_time_is_a_mistake(
    tmp_path: Path, acme: str, globex: str, words: str
) -> None:
    _, problems = read(TWO.format(acme=acme, globex=globex), tmp_path)

    (problem,) = problems
    assert words in problem
    assert "at the same time, see " in problem


@pytest.mark.parametrize(
    ("acme", "globex"),
    [
        ("extensions: [101-199]", "extensions: ['101']"),
        ("endpoints: ['PJSIP/{ext}']", "endpoints: ['PJSIP/1{ext}']"),
        ("contexts: [{context: c, pbx: hq}]", "contexts: [{context: c, pbx: branch}]"),
        ("pbx: hq\n    contexts: [c]", "pbx: branch\n    contexts: [c]"),
        (
            "dids: [{number: '01908555101', until: 2026-05-01}]",
            "dids: [{number: '01908555101', from: 2026-05-01}]",
        ),
        ("until: 2026-05-01\n    contexts: [c]", "from: 2026-05-01\n    contexts: [c]"),
    ],
)
def test_plans_may_overlap_where_something_tells_them_apart(
    tmp_path: Path, acme: str, globex: str
) -> None:
    _, problems = read(TWO.format(acme=acme, globex=globex), tmp_path)

    assert problems == []


def test_a_thing_listed_twice_is_a_mistake(tmp_path: Path) -> None:
    _, problems = read(TWO.format(acme="extensions: [101-110, '105']", globex="name: G"), tmp_path)

    (problem,) = problems
    assert "extension '105' is listed twice, first at " in problem


def test_a_number_is_what_the_operator_wrote(tmp_path: Path) -> None:
    """01302123456 is no octal number, 1.10 is no float, NO is no truth value."""
    text = TWO.format(acme="dids: [01302123456]\n    billing_group: NO", globex="name: 1.10")
    content, problems = read(text, tmp_path)

    assert problems == []
    assert "01302123456" in [entry.pattern for entry in content.entries]
    assert [(c.name, c.billing_group) for c in content.companies] == [
        ("acme", "NO"),
        ("1.10", None),
    ]


def test_dates_are_midnight_in_the_files_zone(tmp_path: Path) -> None:
    text = "zone: America/New_York\n" + TWO.format(
        acme="from: 2026-04-01\n    contexts: [{context: c, until: '2026-06-01T08:00:00+02:00'}]",
        globex="name: G",
    )
    content, problems = read(text, tmp_path)

    (entry,) = (e for e in content.entries if e.kind is EntryKind.CONTEXT)
    assert problems == []
    assert entry.valid_from == datetime(2026, 4, 1, 4, tzinfo=UTC)
    assert entry.valid_until == datetime(2026, 6, 1, 6, tzinfo=UTC)


def test_the_key_is_the_account_code_where_none_is_listed(tmp_path: Path) -> None:
    content, _ = read(TWO.format(acme="name: A", globex="account_codes: []"), tmp_path)

    codes = [e.pattern for e in content.entries if e.kind is EntryKind.ACCOUNT_CODE]
    assert codes == ["acme"]


def test_a_file_with_problems_stops_with_the_exit_code_for_settings(tmp_path: Path) -> None:
    path = tmp_path / "companies.yaml"
    path.write_text("companies: {}\n")

    with pytest.raises(SettingsError) as raised:
        load_companies(path)

    assert raised.value.exit_code == ExitCode.CONFIG
    assert [f"{path}:1: companies: no company is listed"] == raised.value.problems


@pytest.mark.parametrize("text", ["[]", "text", "companies: [acme]", "companies: {acme: [1]}"])
def test_a_file_of_another_shape_is_a_problem_and_no_crash(tmp_path: Path, text: str) -> None:
    _, problems = read(text, tmp_path)

    assert problems


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("companies: {a b: {}}", "companies.a b: a name has up to 63 letters"),
        ("pbxs: {'': {}}\ncompanies: {a: {}}", "a name has up to 63 letters"),
        ("companies: {caller: {}}", "caller is a word of `pays` and cannot be a company"),
        ("companies: {a: {account_codes: ['>10000-29999']}}", "it has more than 10000 codes"),
        ("companies: {a: {pays: {outbound: []}}}", "here belongs a text, not a list"),
        ("companies: {a: {from: []}}", "here belongs a text, not a list"),
        ("dialling: {country_code: '+44'}\ncompanies: {a: {}}", "is not made of digits alone"),
        ("columns: {trunk: ''}\ncompanies: {a: {}}", "columns.trunk: it is empty"),
        ("trust_account_codes: maybe\ncompanies: {a: {}}", "is neither true nor false"),
    ],
)
def test_each_mistake_has_its_words(tmp_path: Path, text: str, words: str) -> None:
    _, problems = read(text, tmp_path)

    assert [words in problem for problem in problems] == [True]
