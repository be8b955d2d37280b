"""A PBX forwards its files to a collector: what arrives is what it wrote, once, and known by its place."""

from __future__ import annotations

import gzip
import re
import shutil
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from support.captured import ZONE, channel_event_rows, queue_event_rows
from support.daemon import cdrd
from support.decoded import CAPTURES, RECORDS, master_files
from support.forwarding import Collector, collecting, followed, forwarding
from support.pbx import Pbx, number_of, record
from support.postgres import cloned
from support.sources import every_record_is_accounted_for
from support.waiting import wait_until

from cdrd.decode.decoders import Shape, row_decoder_for
from cdrd.records import COPY_COLUMNS, Chunk, SourceKind

SOURCES = [
    *(
        {"name": name, "kind": "asterisk-csv", "pbx": name, "zone": ZONE}
        for name in ("by-name", "by-copy", "by-date", "poison", "status", "first", "second", "long")
    ),
    {"name": "branch", "kind": "asterisk-csv", "pbx": "branch", "zone": "Europe/London"},
    {"name": "cel", "kind": "asterisk-cel", "zone": ZONE},
    {"name": "queues", "kind": "asterisk-queue-log"},
    {"name": "twin-1", "kind": "asterisk-csv", "pbx": "twins"},
    {"name": "twin-2", "kind": "asterisk-csv", "pbx": "twins"},
]
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
Places = frozenset[tuple[int, int, str]]
"""Line, offset and uniqueid of each record of a file."""


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, server_dsn: str, template: str
) -> Iterator[Collector]:
    """One for all facts here, each of which has sources of its own."""
    with cloned(server_dsn, template) as dsn:
        with collecting(tmp_path_factory.mktemp("collector"), dsn, SOURCES) as made:
            yield made
            assert made.daemon.stop() == 0
        assert every_record_is_accounted_for(dsn)


def append(path: str, data: bytes) -> None:
    with Path(path).open("ab") as file:
        file.write(data)


def by_name(path: Path, number: int) -> None:
    """As logrotate does by default."""
    path.rename(path.with_name(f"{path.name}.{number}"))


def by_copy(path: Path, number: int) -> None:
    """As logrotate does with copytruncate."""
    shutil.copyfile(path, path.with_name(f"{path.name}.{number}"))
    with path.open("r+b") as file:
        file.truncate(0)


def by_date(path: Path, number: int) -> None:
    """As logrotate does with dateext and compress."""
    packed = path.with_name(f"{path.name}-2026112{number}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def places_in(data: bytes) -> Places:
    """The places of the records of a file, as a decoder that reads the file itself has them."""
    decoder = row_decoder_for(Shape(SourceKind.ASTERISK_CSV, zone=ZONE))
    rows = [row.split("\t") for row in decoder.chunk(Chunk(data, 0, 1, final=True)).rows]
    at = COPY_COLUMNS.index("uniqueid")
    return frozenset((int(row[0]), int(row[1]), row[at]) for row in rows)


def test_what_the_readme_says_can_be_pasted(tmp_path: Path, collector: Collector) -> None:
    """Its forward.yaml, but for the places of the file and the collector."""
    [pasted] = re.findall(r"^```yaml\n(collector:\n.*?)^```$", README, re.DOTALL | re.MULTILINE)
    path = tmp_path / "Master.csv"
    path.write_bytes(record(0))
    with forwarding(tmp_path, collector, []) as forwarder:
        forwarder.config.write_text(
            re.sub(r"^ +ca:.*\n", "", pasted, flags=re.MULTILINE)
            .replace("https://collector.example:8887", collector.url)
            .replace("/var/log/asterisk/cdr-csv/Master.csv", str(path))
        )
        checked = forwarder.check()
        forwarder.start()
        collector.wait_for_legs("branch", 1)
        assert forwarder.stop() == 0

    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.splitlines() == [
        f"branch: 1 file(s) at {path}",
        "branch: the collector knows 0 file(s) of it",
        f"{forwarder.config}: fine; 1 source(s)",
    ]


@pytest.mark.parametrize(
    ("name", "rotate"), [("by-name", by_name), ("by-copy", by_copy), ("by-date", by_date)]
)
def test_what_real_asterisk_wrote_arrives_through_rotations_while_the_forwarder_was_down(
    tmp_path: Path, collector: Collector, name: str, rotate: Callable[[Path, int], None]
) -> None:
    """Each leg is known by its file, line and offset, as if the collector had followed the file itself."""
    generations = [file.read_bytes() for file in master_files("main")]
    source, before = followed(tmp_path, name), 0
    with forwarding(tmp_path, collector, [source]) as forwarder:
        for number, data in enumerate(generations, 1):
            half = len(data) // 2  # in the middle of a record
            append(source["path"], data[:half])
            forwarder.start()
            collector.wait_for_bytes(name, before + half - 1024)
            assert forwarder.stop() == 0
            append(source["path"], data[half:])
            before += len(data)
            if number < len(generations):
                rotate(Path(source["path"]), number)
        forwarder.start()
        collector.wait_for_bytes(name, before)

    legs = collector.places(name)
    files: dict[int, set[tuple[int, int, str]]] = defaultdict(set)
    for file_id, line, offset, uniqueid in legs:
        files[file_id].add((line, offset, uniqueid))
    assert len(legs) == RECORDS["main"]
    assert {frozenset(places) for places in files.values()} == set(map(places_in, generations))


def test_events_are_forwarded_as_legs_are(tmp_path: Path, collector: Collector) -> None:
    sources = [followed(tmp_path, "cel", "cel.csv"), followed(tmp_path, "queues", "queue_log")]
    captured = CAPTURES / "main"
    append(sources[0]["path"], gzip.decompress((captured / "cel.csv.gz").read_bytes()))
    append(sources[1]["path"], (captured / "queue_log").read_bytes())
    expected = [(len(channel_event_rows("main")), len(queue_event_rows("main")))]
    counts = "SELECT (SELECT count(*) FROM cel_event), (SELECT count(*) FROM queue_event)"
    with forwarding(tmp_path, collector, sources, batch_bytes="64KiB") as forwarder:
        forwarder.start()
        wait_until(lambda: collector.asked(counts) == expected, what="every event is stored")


def test_a_poison_record_goes_to_suspense_with_its_place_and_delays_no_other(
    tmp_path: Path, collector: Collector
) -> None:
    source = followed(tmp_path, "poison")
    nothing, short = b"\0nothing\n", b'"acme","101",short\n'
    append(source["path"], record(0) + nothing + record(1) + short + record(2))
    with forwarding(tmp_path, collector, [source]) as forwarder:
        forwarder.start()
        collector.wait_for_legs("poison", 3)

    replayed = cdrd("-c", str(collector.daemon.config), "replay", "--source", "poison")
    first = len(record(0))
    suspended = collector.asked(
        "SELECT line, byte_offset, raw, path FROM suspense JOIN file USING (file_id)"
        " WHERE path = $1 ORDER BY suspense_id",
        source["path"],
    )
    assert [number_of(place[3]) for place in collector.places("poison")] == [0, 1, 2]
    assert "5 records, 0 were missing" in replayed.stdout
    assert suspended == [
        (2, first, nothing, source["path"]),
        (4, 2 * first + len(nothing), short, source["path"]),
    ]


def test_a_leg_that_another_source_of_the_pbx_has_delivered_is_a_duplicate(
    tmp_path: Path, collector: Collector
) -> None:
    sources = [followed(tmp_path, "twin-1"), followed(tmp_path, "twin-2", "Other.csv")]
    for source in sources:
        append(source["path"], b"".join(map(record, range(50))))
    counts = (
        "SELECT sum(records)::int, sum(legs)::int, sum(duplicates)::int"
        " FROM position JOIN file USING (file_id) JOIN source USING (source_id) WHERE pbx = 'twins'"
    )
    with forwarding(tmp_path, collector, sources) as forwarder:
        forwarder.start()
        wait_until(lambda: collector.asked(counts) == [(100, 50, 50)], what="all are counted")


def test_status_and_metrics_say_how_the_forwarder_is_doing(
    tmp_path: Path, collector: Collector
) -> None:
    source = followed(tmp_path, "status")
    append(source["path"], record(0))
    config = str(collector.daemon.config)
    with forwarding(tmp_path, collector, [source]) as forwarder:
        forwarder.start()
        collector.wait_for_legs("status", 1)
        wait_until(
            lambda: (
                "status (asterisk-csv, PBX status): collecting, 0 bytes behind"
                in cdrd("-c", config, "status").stdout
            )
        )
        with urlopen(f"{collector.url}/metrics") as answer:  # noqa: S310 - our own daemon on loopback
            metrics = answer.read().decode()

    assert 'cdrd_source_up{source="status"} 1.0' in metrics
    assert 'cdrd_legs_total{source="status"} 1.0' in metrics
    assert 'cdrd_source_lag_bytes{source="status"} 0.0' in metrics


def test_a_signal_stops_it_at_once_and_another_brings_new_settings(
    tmp_path: Path, collector: Collector
) -> None:
    """Settings with a mistake change nothing."""
    sources = [followed(tmp_path, "first"), followed(tmp_path, "second", "Other.csv")]
    for number, source in enumerate(sources):
        append(source["path"], record(number))
    with forwarding(tmp_path, collector, sources[:1]) as forwarder:
        forwarder.start()
        collector.wait_for_legs("first", 1)
        forwarder.config.write_text("nonsense: 1\n")
        forwarder.send(signal.SIGHUP)
        refused = forwarder.wait_for("reload_refused")
        append(sources[0]["path"], record(2))
        collector.wait_for_legs("first", 2)
        forwarder.sources = sources
        forwarder.write_config()
        forwarder.send(signal.SIGHUP)
        collector.wait_for_legs("second", 1)
        assert forwarder.stop() == 0

        assert any("nonsense: there is no such key" in line for line in refused["problems"])
        assert forwarder.events("stopped")


def test_it_needs_little_memory_for_a_long_backlog(tmp_path: Path, collector: Collector) -> None:
    """60 MiB, whether a file is plain or packed, and when a quote in it never closes."""
    source = followed(tmp_path, "long")
    pbx = Pbx(Path(source["path"]))
    pbx.append_at_once(10_000)
    pbx.compress(pbx.rotate_by_rename())
    pbx.append_at_once(30_000)
    append(source["path"], b'"' + b"endless\n" * 50_000 + record(pbx.written))
    size = sum(len(record(number)) for number in range(pbx.written + 1)) + 400_001
    with forwarding(tmp_path, collector, [source], batch_bytes="1MiB") as forwarder:
        forwarder.start()
        collector.wait_for_bytes("long", size)
        most = forwarder.memory_kib()

    print(f"the forwarder had {most / 1024:.1f} MiB at most")
    assert most <= 60 * 1024
    assert len(collector.places("long")) == pbx.written + 1
