"""What a directory does not say of a company is told, and each of it costs something on real calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from support.decoded import CAPTURES
from support.truth import COMPANIES, agrees, attribute_call, calls, truths

from cdrd.enrich.companies import DirectoryContent, load_companies
from cdrd.enrich.directory import Directory
from cdrd.enrich.gaps import find_gaps
from cdrd.owners import EntryKind


def gaps(folder: Path, text: str) -> list[str]:
    path = folder / "companies.yaml"
    path.write_text(text)
    return list(find_gaps(load_companies(path).entries))


def agreeing(capture: str, content: DirectoryContent) -> int:
    """How many properties of the legs of a capture are decided as they were meant, from cdr_csv alone."""
    directory = Directory.compile(content.as_version(1))
    decided = {
        one.acctid: one
        for call in calls(capture, "cdr_csv")
        for one in attribute_call(call.legs, directory)
    }
    return sum(
        agrees(expected, getattr(decided[truth.leg.acctid], name), name)
        for truth in truths(capture)
        for name, expected in truth.expected.items()
        if truth.leg.acctid
    )


@pytest.mark.parametrize(
    ("capture", "company", "kind", "told"),
    [
        ("main", "acme", EntryKind.EXTENSION, "no extensions"),
        (
            "main",
            "acme",
            EntryKind.ENDPOINT,
            "no endpoints, and extensions that others have, too",
        ),
        ("main", "acme", EntryKind.CONTEXT, "no contexts"),
        ("america", "555-east", EntryKind.OUTSIDE_PREFIX, "no outside prefix, which others have"),
    ],
)
def test_what_is_told_to_be_missing_makes_decisions_worse(
    capture: str, company: str, kind: EntryKind, told: str
) -> None:
    own = CAPTURES / capture / "companies.yaml"
    whole = load_companies(own if own.exists() else COMPANIES)
    entries = [one for one in whole.entries if (one.company, one.kind) != (company, kind)]
    less = whole._replace(entries=entries)
    [gap] = find_gaps(less.entries)

    assert not list(find_gaps(whole.entries))
    assert gap.startswith(f"{told}: ")
    assert gap.endswith(f" ({company})")
    assert agreeing(capture, less) < agreeing(capture, whole)


def test_that_nobody_lists_a_trunk_makes_decisions_worse() -> None:
    whole = load_companies(COMPANIES)
    without = [one for one in whole.entries if one.kind is not EntryKind.TRUNK]
    less = whole._replace(entries=without)
    [gap] = find_gaps(less.entries)

    assert gap.startswith("public numbers, and no trunks: ")
    assert agreeing("main", less) < agreeing("main", whole)


@pytest.mark.parametrize(
    ("companies", "told"),
    [
        (("acme: {contexts: [a], extensions: ['101-103']}",), []),
        # a telephone PJSIP/102 could be that of both
        (
            (
                "acme: {contexts: [a], extensions: ['101-103']}",
                "globex: {contexts: [b], extensions: ['102'], endpoints: ['PJSIP/g-{ext}']}",
            ),
            ["no endpoints (acme)"],
        ),
        (
            (
                "acme: {contexts: [a], extensions: ['101-103'], pbx: hq}",
                "globex: {contexts: [b], extensions: ['102'], pbx: branch}",
            ),
            [],
        ),
        # on one of its PBXs
        (
            ("acme: {extensions: ['101'], contexts: [{context: a, pbx: hq}], pbx: [hq, branch]}",),
            ["no contexts (acme on branch)"],
        ),
        # whoever has what nobody owns need not name it
        (("acme: {default: true, extensions: ['101']}",), []),
    ],
)
def test_a_gap_is_one_of_a_company_where_it_has_calls(
    tmp_path: Path, companies: Sequence[str], told: list[str]
) -> None:
    listed = "".join(f"\n  {company}" for company in companies)
    found = gaps(tmp_path, f"pbxs: {{hq: {{}}, branch: {{}}}}\ncompanies:{listed}\n")

    assert [_short(gap) for gap in found] == told


def test_ten_thousand_companies_with_one_gap_are_one_line(tmp_path: Path) -> None:
    companies = "".join(f"\n  c{n:04}: {{contexts: [c{n:04}]}}" for n in range(10_000))
    [told] = gaps(tmp_path, f"companies:{companies}\n")

    assert told.startswith("no extensions: ")
    assert told.endswith(" (c0000, c0001, c0002, c0003, c0004 and 9,995 more)")


def _short(gap: str) -> str:
    """What is missing, and of whom."""
    return f"{gap.partition(':')[0].partition(',')[0]} {gap[gap.rindex('(') :]}"
