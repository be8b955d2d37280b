"""Who owns what, on which PBX, at what time; and what changes when another version is applied."""

from __future__ import annotations

import gc
import weakref
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdrd.enrich.companies import parse_companies
from cdrd.enrich.diff import ChangeKind, diff_directories, render_diff
from cdrd.enrich.directory import Directory
from cdrd.enrich.found import PartyKind
from cdrd.owners import Company, DirectoryVersion, Entry, EntryKind
from cdrd.records import CompanyId
from cdrd.yamlfile import read_yaml

MARCH = datetime(2026, 3, 31, 22, 59, 59, tzinfo=UTC)
APRIL = MARCH + timedelta(seconds=1)

TEXT = """
zone: Europe/London
dialling: {country_code: "44", national_prefix: "0", international_prefix: "00"}
outside_prefixes: ["9"]
pbxs:
  hq: {trunks: [PJSIP/line]}
  branch: {outside_prefixes: ["0"], trunks: [{channel: PJSIP/line, name: branch line}]}
feature_codes: {pickup: ["*8", "*8{ext}"], park_slots: [701-720]}
companies:
  acme:
    account_codes: [acme, ">100-199"]
    contexts: [acme-*, {context: acme-menu, ivr: true}]
    endpoints: ["PJSIP/acme-{ext}", "phone-{ext}", {channel: PJSIP/lobby, extension: "100"}]
    extensions: [100-199]
    dids: [{number: "01908555101", extension: "101"}, {number: "01908555120", until: 2026-04-01},
           "01908555200-01908555299"]
  globex:
    pbx: branch
    account_codes: ["globex-{ext}"]
    endpoints: ["PJSIP/globex-{ext}"]
    extensions: [100-199, {extension: "300", from: 2026-04-01}]
    dids: [{number: "01908555120", from: 2026-04-01}]
    outside_prefixes: ["8"]
  house: {default: true}
"""


def version(text: str, tmp_path: Path, number: int = 1) -> DirectoryVersion:
    path = tmp_path / "companies.yaml"
    path.write_text(text)
    content, problems = parse_companies(read_yaml(path))
    assert problems == []
    return content.as_version(number)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return Directory.compile(version(TEXT, tmp_path))


def test_channels_are_of_stations_trunks_or_nobody(directory: Directory) -> None:
    def found(channel: str, pbx: str = "hq") -> tuple[str, str | None, str | None, str | None]:
        party = directory.on(pbx).party(channel, MARCH)
        return party.kind.name, party.company, party.extension, party.trunk

    assert found("PJSIP/acme-101-0000002a") == ("STATION", "acme", "101", None)
    assert found("PJSIP/lobby-0000002a") == ("STATION", "acme", "100", None)
    assert found("SCCP/phone-107-0000002a") == ("STATION", "acme", "107", None)
    assert found("PJSIP/line-0000002a") == ("TRUNK", None, None, "line")
    assert found("PJSIP/line-0000002a", "branch") == ("TRUNK", None, None, "branch line")
    assert found("PJSIP/acme-x-0000002a") == ("UNLISTED", None, None, None)
    assert found("PJSIP/globex-101-0000002a") == ("UNLISTED", None, None, None)
    assert found("PJSIP/globex-101-0000002a", "branch") == ("STATION", "globex", "101", None)
    assert found("Local/101@acme-in-0000002a;2") == ("LOCAL", None, None, None)
    assert directory.on("hq").party("", MARCH).kind is PartyKind.NOBODY


def test_a_telephone_may_be_named_by_an_extension_that_one_company_has(
    directory: Directory,
) -> None:
    def found(channel: str, pbx: str, at: datetime = MARCH) -> tuple[str, str | None]:
        party = directory.on(pbx).party(f"{channel}-0000002a", at)
        return party.kind.name, party.company

    assert found("PJSIP/150", "hq") == ("STATION", "acme")
    assert found("PJSIP/150", "branch") == ("UNLISTED", None)
    assert found("PJSIP/300", "branch") == ("UNLISTED", None)
    assert found("PJSIP/300", "branch", APRIL) == ("STATION", "globex")
    assert found("DAHDI/150", "hq") == ("UNLISTED", None)


def test_extensions_of_two_companies_may_be_the_same(directory: Directory) -> None:
    assert directory.on("branch").extension_owners("150", MARCH) == ("acme", "globex")
    assert directory.on("hq").extension_owners("150", MARCH) == ("acme",)
    assert directory.on("branch").owns_extension(CompanyId("globex"), "150", MARCH)
    assert not directory.on("hq").owns_extension(CompanyId("globex"), "150", MARCH)
    assert directory.on("hq").extension_owners("200", MARCH) == ()


def test_a_number_is_found_in_every_form_and_belongs_to_who_owned_it_then(
    directory: Directory,
) -> None:
    forms = ("01908555120", "+441908555120", "00441908555120", "441908555120")
    owners = {
        pbx: [
            [did.company if (did := directory.on(pbx).did(form, at)) else None for form in forms]
            for at in (MARCH, APRIL)
        ]
        for pbx in ("hq", "branch")
    }

    assert owners["branch"] == [["acme"] * 4, ["globex"] * 4]
    assert owners["hq"] == [["acme"] * 4, [None] * 4]


def test_a_number_of_a_block_is_written_as_it_is_dialled_at_the_site(directory: Directory) -> None:
    did = directory.on("hq").did("+441908555250", MARCH)

    assert did is not None
    assert (did.company, did.number, did.extension) == ("acme", "01908555250", None)


def test_account_codes_can_name_an_extension(directory: Directory) -> None:
    def found(code: str) -> tuple[str, str | None] | None:
        return directory.on("branch").account(code, MARCH)

    assert found("acme") == ("acme", None)
    assert found(">150") == ("acme", "150")
    assert found("globex-101") == ("globex", "101")
    assert found("ACME") is None
    assert found("acme/../x") is None


def test_contexts_and_menus(directory: Directory) -> None:
    menu = directory.on("hq").context("acme-menu", MARCH)

    assert menu is not None
    assert menu.detail == {"ivr": True}
    assert directory.on("hq").context("other", MARCH) is None


def test_a_companys_own_prefixes_replace_those_of_the_pbx(directory: Directory) -> None:
    acme, globex = CompanyId("acme"), CompanyId("globex")

    assert directory.on("hq").outside_prefixes(acme, MARCH) == ("9",)
    assert set(directory.on("branch").outside_prefixes(acme, MARCH)) == {"9", "0"}
    assert directory.on("branch").outside_prefixes(globex, MARCH) == ("8",)


def test_feature_codes_may_carry_an_extension(directory: Directory) -> None:
    assert directory.on("hq").feature(None, "*8102", MARCH) == ("pickup", "102")
    assert directory.on("hq").feature(None, "*8", MARCH) == ("pickup", None)
    assert directory.on("hq").feature(None, "715", MARCH) == ("park_slots", None)
    assert directory.on("hq").feature(None, "102", MARCH) is None


def test_unowned_stations_have_a_company(directory: Directory) -> None:
    assert directory.on("hq").default_company(MARCH) == "house"


@pytest.mark.parametrize(
    "hostile", ["", "\x00", "a" * 10_000, "*{ext}*", "PJSIP/", "-", "\udcff", "/"]
)
def test_no_text_is_too_strange_to_be_looked_up(directory: Directory, hostile: str) -> None:
    assert directory.on("hq").party(hostile, MARCH).company is None
    assert directory.on("hq").account(hostile, MARCH) is None
    assert directory.on("hq").context(hostile, MARCH) is None
    assert directory.on("hq").did(hostile, MARCH) is None
    assert directory.on("hq").feature(None, hostile, MARCH) is None
    assert directory.on("hq").extension_owners(hostile, MARCH) == ()


def test_the_table_of_a_large_block_is_small() -> None:
    """A block of a hundred million numbers is a handful of prefixes."""
    acme = CompanyId("acme")
    block = Entry(acme, None, EntryKind.DID, "0500000001-0599999998", {}, None, None)
    directory = Directory.compile(DirectoryVersion(1, [Company(acme, "Acme")], [block]))

    assert directory.on("hq").did("0512345678", MARCH) is not None
    assert directory.on("hq").did("0500000000", MARCH) is None


def test_a_diff_shows_each_change_below_its_company(tmp_path: Path) -> None:
    old = version(TEXT, tmp_path)
    changed = (
        TEXT.replace('extension: "101"}', 'extension: "102"}')
        .replace("  house: {default: true}", "  house: {default: true, name: The house}")
        .replace('outside_prefixes: ["9"]', 'outside_prefixes: ["9", "7"]')
        .replace("    extensions: [100-199]\n", "    extensions: [100-198]\n")
    )

    diff = diff_directories(old, version(changed, tmp_path, 2))

    assert list(render_diff(diff)) == [
        "shared by all companies",
        "  + outside prefix 7",
        "acme",
        "  ~ did 01908555101: extension 101 → extension 102",
        "  + extension 100-198",
        "  - extension 100-199",
        "house",
        "  ~ company: name house → name The house",
        "2 added, 1 removed, 2 changed",
    ]
    assert [diff.count(kind) for kind in ChangeKind] == [2, 1, 2]


def test_what_is_the_same_in_another_order_is_no_change(tmp_path: Path) -> None:
    old = version(TEXT, tmp_path)
    new = DirectoryVersion(2, list(reversed(old.companies)), list(reversed(old.entries)))

    assert list(render_diff(diff_directories(old, new))) == ["nothing changes"]


def test_the_first_version_adds_everything(tmp_path: Path) -> None:
    new = version(TEXT, tmp_path)

    diff = diff_directories(None, new)

    assert diff.count(ChangeKind.ADDED) == len(new.companies) + len(new.entries)
    assert diff.count(ChangeKind.REMOVED) == diff.count(ChangeKind.CHANGED) == 0


def test_removing_a_company_removes_what_it_had(tmp_path: Path) -> None:
    old = version(TEXT, tmp_path)
    new = version(TEXT.replace("  house: {default: true}", ""), tmp_path, 2)

    lines = list(render_diff(diff_directories(old, new)))

    assert lines == [
        "house",
        "  - company: name house",
        "  - account code house",
        "  - unowned *",
        "0 added, 3 removed, 0 changed",
    ]


def test_a_moved_date_is_a_change(tmp_path: Path) -> None:
    old = version(TEXT, tmp_path)
    new = version(TEXT.replace("until: 2026-04-01", "until: 2026-03-01"), tmp_path, 2)

    lines = list(render_diff(diff_directories(old, new)))

    assert lines[1] == (
        "  ~ did 01908555120: until 2026-03-31T23:00+00:00 → until 2026-03-01T00:00+00:00"
    )


class Companies(dict[CompanyId, Company]):
    """A dict of which somebody can tell whether it is gone."""


def test_a_directory_that_nobody_uses_is_gone_at_once(directory: Directory) -> None:
    """A million entries must not wait for the garbage collector, which is told to look past them."""
    companies = Companies(directory.companies)
    mine = Directory(1, companies, directory._found)
    mine.on("hq").party("PJSIP/acme-101-0000002a", MARCH)
    gone = weakref.ref(companies)  # a compiled class takes no weak references
    gc.disable()
    try:
        del companies
        assert gone() is not None
        del mine
        assert gone() is None
    finally:
        gc.enable()


def test_a_diff_of_very_many_changes_is_summed_up() -> None:
    def extensions(first: int, name: str) -> list[Entry]:
        owner = CompanyId("acme")
        return [
            Entry(owner, None, EntryKind.EXTENSION, str(n), {"name": name}, None, None)
            for n in range(first, first + 5000)
        ]

    companies = [Company(CompanyId("acme"), "Acme")]
    old = DirectoryVersion(1, companies, extensions(10000, "old"))
    new = DirectoryVersion(2, [Company(CompanyId("acme"), "Apex")], extensions(12000, "new"))
    diff = diff_directories(old, new)
    lines = list(render_diff(diff))

    assert [diff.count(kind) for kind in ChangeKind] == [2000, 2000, 3001]
    assert lines[:3] == [
        "acme",
        "  ~ company: name Acme → name Apex",
        "  - extension 10000: name old",
    ]
    assert lines[201:] == [
        "and 6,801 more; together:",
        "  ~ company: 1",
        "  + extension: 2,000",
        "  - extension: 2,000",
        "  ~ extension: 3,000",
        "2000 added, 2000 removed, 3001 changed",
    ]
