"""The demo's folder: written once for the user to edit, never over what is there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cdrd.demo.folder import DEMO, OWN, DemoFolder, FirstSettings, followed_path
from cdrd.enrich.companies import load_companies
from cdrd.errors import Conflict
from cdrd.records import SourceKind
from cdrd.settings import load_settings


def first(file: Path, name: str = DEMO) -> FirstSettings:
    return FirstSettings(
        name=name, kind=SourceKind.ASTERISK_CSV, file=file, zone="Europe/London", port=8887
    )


@pytest.fixture(params=["plain", "with space", "quote\"'s", "br[a]cket*", "ümlaut", "#hash: x"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> DemoFolder:
    """A data folder whose name YAML and patterns could misunderstand."""
    path = tmp_path / str(request.param)
    path.mkdir()
    return DemoFolder(path)


def test_the_settings_it_writes_are_valid_wherever_the_folder_is(folder: DemoFolder) -> None:
    folder.write_settings(first(folder.master))

    settings = load_settings(folder.settings, environment={})

    (source,) = settings.sources
    assert (source.name, source.zone) == (DEMO, "Europe/London")
    assert source.path == followed_path(folder.master)
    assert settings.database.embedded == folder.path / "postgresql"
    assert settings.enrich.companies == folder.companies
    assert settings.serve.host == "127.0.0.1"


def test_the_path_of_a_source_stands_for_that_file_alone(folder: DemoFolder) -> None:
    folder.master.parent.mkdir()
    folder.master.touch()

    pattern = followed_path(folder.master)

    assert list(Path("/").glob(pattern.removeprefix("/"))) == [folder.master]


@pytest.mark.parametrize("name", [DEMO, OWN])
def test_the_companies_it_writes_are_valid(tmp_path: Path, name: str) -> None:
    folder = DemoFolder(tmp_path)
    folder.write_settings(first(folder.master, name))

    companies = {company.company for company in load_companies(folder.companies).companies}

    assert companies == ({"acme", "globex"} if name == DEMO else {"mine"})


def test_what_the_user_changed_is_not_written_over(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    folder.settings.write_text("mine")
    folder.companies.write_text("mine too")

    folder.write_settings(first(folder.master))

    assert (folder.settings.read_text(), folder.companies.read_text()) == ("mine", "mine too")


def test_the_token_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)
    folder.token.write_text("old")
    folder.token.chmod(0o644)

    folder.write_token("a token")

    assert folder.read_token() == "a token"
    assert stat.S_IMODE(folder.token.stat().st_mode) == 0o600


def test_there_is_no_token_before_the_first_run(tmp_path: Path) -> None:
    assert DemoFolder(tmp_path).read_token() is None


def test_a_folder_is_used_by_one_demo_at_a_time(tmp_path: Path) -> None:
    with (
        DemoFolder(tmp_path).held(),
        pytest.raises(Conflict, match="another `cdrd demo` runs"),
        DemoFolder(tmp_path).held(),
    ):
        pass

    with DemoFolder(tmp_path).held():
        pass


def test_the_simulators_folder_says_that_it_is_a_demo(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path)

    folder.write_note()

    assert "no call in this folder was ever made" in (tmp_path / "demo" / "DEMO").read_text()
