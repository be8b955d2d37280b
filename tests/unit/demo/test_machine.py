"""What a newcomer's machine says about itself is taken only as far as it makes sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from cdrd.demo.machine import file_kind, machine_zone
from cdrd.errors import SourceUnavailable
from cdrd.records import SourceKind


def test_the_zone_is_what_tz_says(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Europe/Paris\n")

    assert machine_zone({"TZ": "America/New_York"}, etc=tmp_path) == "America/New_York"
    assert machine_zone({"TZ": ":America/New_York"}, etc=tmp_path) == "America/New_York"


def test_the_zone_is_what_debian_wrote_down(tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("Europe/Paris\n")

    assert machine_zone({}, etc=tmp_path) == "Europe/Paris"


def test_the_zone_is_where_localtime_points_to(tmp_path: Path) -> None:
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Asia/Kolkata")

    assert machine_zone({}, etc=tmp_path) == "Asia/Kolkata"


@pytest.mark.parametrize("nonsense", ["", "EST5EDT4,M3", "../../etc/passwd", "/etc/localtime"])
def test_a_zone_that_is_none_is_passed_over(tmp_path: Path, nonsense: str) -> None:
    (tmp_path / "timezone").write_text(nonsense)

    assert machine_zone({"TZ": nonsense}, etc=tmp_path) == "UTC"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'"acme","101"', SourceKind.ASTERISK_CSV),
        (b"", SourceKind.ASTERISK_CSV),
        (b'{"src": "101"}', SourceKind.ASTERISK_JSON),
    ],
)
def test_a_file_shows_how_its_records_are_written(
    tmp_path: Path, content: bytes, kind: SourceKind
) -> None:
    (tmp_path / "file").write_bytes(content)

    assert file_kind(tmp_path / "file") is kind


def test_a_file_that_is_not_there_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="No such file or directory") as caught:
        file_kind(tmp_path / "none")

    assert "Master.csv" in str(caught.value.hint)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="Is a directory"):
        file_kind(tmp_path)
