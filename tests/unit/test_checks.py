"""Settings that read well and could not be started with are named, all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cdrd.checks import check_settings
from cdrd.errors import SettingsError
from cdrd.settings import Settings


def problems(**sections: Any) -> list[str]:
    """Everything that is wrong with them."""
    with pytest.raises(SettingsError) as error:
        check_settings(Settings.model_validate(sections))
    return error.value.problems


def source(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "asterisk-csv", "path": path, **more}


def test_settings_without_a_mistake_pass() -> None:
    check_settings(Settings())
    check_settings(
        Settings.model_validate(
            {"sources": [source("a", "/srv/a/Master.csv"), source("b", "/srv/b/*.csv")]}
        )
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/srv/a/Master.csv", "/srv/a/Master.csv"),
        ("/srv/a/Master.csv", "/srv/*/Master.csv"),
        ("/srv/a/*.csv", "/srv/a/Master.csv"),
        ("/srv/*/Master.csv", "/srv/*/Master.csv"),
    ],
)
def test_a_file_is_followed_by_one_source(one: str, other: str) -> None:
    assert problems(sources=[source("a", one), source("b", other)]) == [
        f"sources: a and b both follow {one}: a file belongs to one source"
    ]


def test_everything_is_named_at_once(tmp_path: Path) -> None:
    companies = tmp_path / "companies.yaml"
    companies.write_text("nonsense: 1\n")
    found = problems(
        sources=[source("hq", "/x.csv", kind="asterisk-custom", columns=("start", "src"))],
        enrich={"companies": companies},
        serve={
            "certificate": tmp_path / "no.pem",
            "key": tmp_path / "no.key",
            "trusted_proxies": ("proxy.example",),
        },
    )

    assert "sources: hq: columns: dst is missing" in found
    for words in (f"{companies}:1: nonsense", "serve.certificate", "serve.trusted_proxies"):
        assert [problem for problem in found if problem.startswith(words)] != []


def test_a_role_needs_only_its_own() -> None:
    settings = Settings.model_validate({"enrich": {"companies": "/nowhere/companies.yaml"}})

    check_settings(settings, roles=["collect", "serve"])
    with pytest.raises(SettingsError, match="/nowhere"):
        check_settings(settings, roles=["enrich"])
