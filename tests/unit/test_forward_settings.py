"""forward.yaml: the sample tells the truth, and a secret never travels in the open by mistake."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cdrd.errors import SettingsError
from cdrd.forward_settings import (
    CollectorSettings,
    Forward,
    ForwardedSettings,
    ForwardSettings,
    load_forward,
)
from cdrd.settings import LogSettings
from cdrd.yamlfile import read_yaml

SAMPLE = Path(__file__).parents[2] / "config" / "forward.yaml"
_KEY_COMMENTED_OUT = re.compile(r"^( *)#(?=[a-z_]+:)", re.MULTILINE)


def everything_on(folder: Path) -> dict[str, Any]:
    """The sample with the # taken from every key, without those that it calls none."""
    path = folder / "forward.yaml"
    path.write_text(_KEY_COMMENTED_OUT.sub(r"\1", SAMPLE.read_text(encoding="utf-8")))
    data: dict[str, Any] = read_yaml(path).data
    return data


def load(folder: Path, url: str, *, more: str = "", **environment: str) -> Forward:
    """Settings with a token beside them."""
    config = folder / "forward.yaml"
    config.write_text(
        f"collector: {{url: '{url}'{more}}}\nsources: [{{name: hq, path: Master.csv}}]\n"
    )
    (folder / "token").write_text("secret\n")
    return load_forward(config, environment=environment)


def test_the_sample_has_every_key_and_no_other(tmp_path: Path) -> None:
    data = everything_on(tmp_path)
    (source,) = data["sources"]

    assert set(ForwardSettings.model_fields) == set(data)
    assert set(CollectorSettings.model_fields) == set(data["collector"])
    assert set(ForwardedSettings.model_fields) == set(source)
    assert set(LogSettings.model_fields) == set(data["logs"])


def test_every_default_in_the_sample_is_the_real_one(tmp_path: Path) -> None:
    data = everything_on(tmp_path)
    none = {key for key, value in data["collector"].items() if value == "none"}
    data["collector"] = {key: data["collector"][key] for key in data["collector"].keys() - none}
    as_it_is = ForwardSettings.model_validate(read_yaml(SAMPLE).data | {"logs": {}})

    assert none == {key for key, value in as_it_is.collector if value is None}
    assert ForwardSettings.model_validate(data) == as_it_is


def test_the_sample_fits_a_wide_terminal() -> None:
    assert max(map(len, SAMPLE.read_text(encoding="utf-8").splitlines())) <= 120


@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("https://collector.example:8887", ""),
        ("https://collector.example/behind/a/proxy", ""),
        ("http://127.0.0.1:8887", ""),
        ("http://[::1]:8887", ""),
        ("http://localhost:8887", ""),
        ("http://collector.example:8887", ", plain_http: true"),
    ],
)
def test_records_travel_by_https_or_to_this_machine_or_where_it_is_said(
    tmp_path: Path, url: str, more: str
) -> None:
    assert load(tmp_path, url, more=more).settings.collector.url == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://collector.example:8887", "plain_http: true"),
        ("http://127.0.0.1.example:8887", "plain_http: true"),
        ("http://10.0.0.1:8887", "plain_http: true"),
        ("ftp://collector.example", "is no address"),
        ("https://", "is no address"),
        ("https://collector.example:99999", "is no address"),
        ("https://user:password@collector.example", "is no address"),
        ("collector.example:8887", "is no address"),
    ],
)
def test_another_address_is_refused(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(tmp_path, url)


def test_the_token_is_the_credential_of_systemd_where_there_is_one(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "token").write_text("credential\n")
    url = "https://collector.example"

    assert load(tmp_path, url).token == "secret"
    assert load(tmp_path, url, CREDENTIALS_DIRECTORY=str(credentials)).token == "credential"


def test_a_path_and_a_name_are_given_once(tmp_path: Path) -> None:
    load(tmp_path, "https://collector.example")
    config = tmp_path / "forward.yaml"
    config.write_text(
        "collector: {url: 'https://collector.example'}\n"
        "sources: [{name: hq, path: a}, {name: hq, path: b}]\n"
    )

    with pytest.raises(SettingsError, match="the name 'hq' is given twice"):
        load_forward(config, environment={})
