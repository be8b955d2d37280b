"""The sample settings tell the truth: every key, and the default that the program really has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cdrd.settings import Settings, load_settings
from cdrd.source_settings import SourceSettings
from cdrd.yamlfile import read_yaml

SAMPLE = Path(__file__).parents[2] / "config" / "cdrd.yaml"
_KEY_COMMENTED_OUT = re.compile(r"^( *)#(?=(?:- )?[a-z_]+:)", re.MULTILINE)


def everything_on(folder: Path) -> Path:
    """The sample with the # taken from every key; prose has a blank behind its #."""
    path = folder / "cdrd.yaml"
    text = SAMPLE.read_text(encoding="utf-8")
    path.write_text(_KEY_COMMENTED_OUT.sub(r"\1", text), encoding="utf-8")
    return path


def without_none(value: Any) -> Any:
    """`none` stands for a key that is not given."""
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item != "none"}
    return [without_none(item) for item in value] if isinstance(value, list) else value


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Every key of a model, those of sections with the section's name before them."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        yield name
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from (f"{name}.{key}" for key in keys(annotation))


def keys_given(value: dict[str, Any]) -> Iterator[str]:
    for name, item in value.items():
        yield name
        if isinstance(item, dict):
            yield from (f"{name}.{key}" for key in keys_given(item))


def places_of_none(value: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, item in value.items():
        if item == "none":
            yield (name,)
        elif isinstance(item, dict):
            yield from ((name, *rest) for rest in places_of_none(item))


def test_the_sample_as_it_is_changes_nothing() -> None:
    assert load_settings(SAMPLE, environment={}) == Settings()


def test_the_sample_has_every_key_and_no_other(tmp_path: Path) -> None:
    data = read_yaml(everything_on(tmp_path)).data
    (source,) = data.pop("sources")

    assert set(keys(Settings)) - {"sources"} == set(keys_given(data))
    assert set(keys(SourceSettings)) == set(source)


def test_every_default_in_the_sample_is_the_real_one(tmp_path: Path) -> None:
    data = without_none(read_yaml(everything_on(tmp_path)).data)
    (source,) = data.pop("sources")
    needed = {"name": source["name"], "kind": source["kind"], "path": source["path"]}

    assert Settings() == Settings.model_validate(data)
    assert SourceSettings.model_validate(needed) == SourceSettings.model_validate(source)


def test_what_the_sample_calls_none_is_not_set_by_default(tmp_path: Path) -> None:
    data = read_yaml(everything_on(tmp_path)).data
    del data["sources"]
    defaults = Settings().model_dump()

    for place in places_of_none(data):
        value: Any = defaults
        for key in place:
            value = value[key]
        assert value is None, place


def test_the_sample_fits_a_wide_terminal() -> None:
    assert max(map(len, SAMPLE.read_text(encoding="utf-8").splitlines())) <= 120
