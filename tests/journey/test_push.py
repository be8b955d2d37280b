"""PBXs push over HTTP to the real daemon: what it says is stored is stored, once."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.daemon import DaemonProcess
from support.pbx import record
from support.posted import SOURCES, Posted, everything
from support.postgres import cloned
from support.pushing import Pusher, pusher
from support.waiting import wait_until

from cdrd.settings import load_settings


@pytest.fixture(scope="module")
def daemon(
    tmp_path_factory: pytest.TempPathFactory, server_dsn: str, template: str
) -> Iterator[DaemonProcess]:
    """One for all facts here, each of which has records of its own."""
    with cloned(server_dsn, template) as dsn:
        sources = [{**source, "push": "true"} for source in SOURCES]
        daemon = DaemonProcess(tmp_path_factory.mktemp("push"), dsn, sources)
        daemon.write_config()
        daemon.add_reader()
        daemon.start()
        yield daemon
        assert daemon.stop() == 0


@pytest.fixture(scope="module")
def pushing(daemon: DaemonProcess) -> Pusher:
    made = pusher(daemon, "pbx", *(source["name"] for source in SOURCES))
    wait_until(
        lambda: all(made.post(source["name"], b"?")[0] == 200 for source in SOURCES),
        what="every source takes pushes",
    )
    return made


def legs(daemon: DaemonProcess, *uniqueids: str) -> list[dict[str, Any]]:
    """What is stored of these, whether it is decided yet or not."""
    page = daemon.read(minID=0, maxRows=10_000, raw=True)
    assert page["result"] == "success", page
    return [row for row in page["values"] if row["uniqueid"] in uniqueids]


def uniqueid(number: int) -> str:
    """Of the record with that number."""
    return f"{1795285487 + number // 10}.{number}"


def push(pushing: Pusher, posted: Posted) -> dict[str, object]:
    status, answer, _ = pushing.post(
        posted.source, posted.body, query=posted.query, **posted.headers
    )
    assert status == 200, answer
    return answer


def stored(records: int) -> dict[str, object]:
    return {
        "result": "success", "records": records, "stored": records, "duplicates": 0, "suspended": 0
    }  # fmt: skip


def test_what_every_pbx_posts_is_stored_once_and_answered_alike_each_time(
    daemon: DaemonProcess, pushing: Pusher
) -> None:
    posts = everything()

    first = [push(pushing, posted) for posted in posts]
    again = [push(pushing, posted) for posted in posts]

    assert first == [stored(len(posted.uniqueids)) for posted in posts]
    assert again == first
    uniqueids = [uniqueid for posted in posts for uniqueid in posted.uniqueids]
    assert sorted(row["uniqueid"] for row in legs(daemon, *uniqueids)) == sorted(uniqueids)


def test_a_backslash_in_an_array_is_what_json_says(daemon: DaemonProcess, pushing: Pusher) -> None:
    posted = next(posted for posted in everything() if len(posted.uniqueids) == 2)
    push(pushing, posted)

    assert [row["clid"] for row in legs(daemon, *posted.uniqueids)] == ['"A\\B" <101>'] * 2


def test_two_legs_that_differ_in_nothing_both_count_however_often_they_are_sent(
    daemon: DaemonProcess, pushing: Pusher
) -> None:
    twins = record(51) + record(51)

    assert push(pushing, Posted("csv", twins)) == stored(2)
    assert push(pushing, Posted("csv", twins)) == stored(2)
    answer = push(pushing, Posted("csv", twins + record(52)))
    assert (answer["stored"], answer["duplicates"]) == (1, 2)
    assert len(legs(daemon, uniqueid(51), uniqueid(52))) == 3


def test_records_that_cannot_be_read_wait_in_suspense_and_their_neighbours_are_stored(
    pushing: Pusher,
) -> None:
    body = record(11) + b'"no","record"\n' + record(12)
    expected = {
        "result": "success", "records": 3, "stored": 2, "duplicates": 0, "suspended": 1
    }  # fmt: skip

    assert push(pushing, Posted("csv", body)) == expected
    assert push(pushing, Posted("csv", body)) == expected


def test_a_key_belongs_to_its_content(pushing: Pusher) -> None:
    """A key that is used twice for different records swallows none of them."""
    key = {"Idempotency-Key": "batch 7"}

    assert push(pushing, Posted("csv", record(21), headers=key)) == stored(1)
    assert push(pushing, Posted("csv", record(21), headers=key)) == stored(1)
    assert push(pushing, Posted("csv", record(22), headers=key)) == stored(1)


def test_the_same_push_many_times_at_once_is_stored_once(
    daemon: DaemonProcess, pushing: Pusher
) -> None:
    body = b"".join(record(number) for number in range(100, 200))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: push(pushing, Posted("csv", body)), range(8)))

    assert answers == [stored(100)] * 8
    assert len(legs(daemon, *map(uniqueid, range(100, 200)))) == 100


def test_a_burst_of_pushes_is_stored_whole(daemon: DaemonProcess, pushing: Pusher) -> None:
    """As when many calls end in the same moment; who pushes may have no way to try again."""
    bodies = [record(number) for number in range(200, 300)]
    with ThreadPoolExecutor(len(bodies)) as threads:
        answers = list(threads.map(lambda body: pushing.post("csv", body)[:2], bodies))

    assert answers == [(200, stored(1))] * 100
    assert len(legs(daemon, *map(uniqueid, range(200, 300)))) == 100


def test_bodies_may_be_packed_and_are_bounded_unpacked(
    pushing: Pusher,
) -> None:
    packed = gzip.compress(record(31))
    bomb = gzip.compress(b"0" * (64 << 20))
    gz = {"Content-Encoding": "gzip"}

    assert push(pushing, Posted("csv", packed, headers=gz)) == stored(1)
    status, answer, _ = pushing.post("csv", bomb, **gz)
    assert (status, answer["result"]) == (413, "fail")
    assert pushing.post("csv", b"0" * (4 << 20) + b"0")[0] == 413
    assert pushing.post("csv", b"no gzip", **gz)[0] == 400
    for body in (packed + b"no gzip", gzip.compress(record(33) * 3)[:-1]):
        assert pushing.post("csv", body, **gz)[0] == 400
    assert pushing.post("csv", record(32), **{"Content-Encoding": "compress"})[0] == 415
    assert pushing.post("csv", b" \n")[0] == 400


def test_a_packed_body_of_which_something_is_missing_is_stored_in_no_part(
    daemon: DaemonProcess, pushing: Pusher
) -> None:
    """Wherever it is cut; whoever sent it has to send it again, and would not if it were taken."""
    records = b"".join(record(number) for number in range(61, 66))
    bare = zlib.compressobj(wbits=-15)
    bodies = {
        "gzip": (gzip.compress(records), gzip.compress(records) + gzip.compress(record(66))),
        "deflate": (zlib.compress(records), bare.compress(records) + bare.flush()),
    }
    for coding, whole_ones in bodies.items():
        for whole in whole_ones:
            cuts = {1, 11, len(whole) // 2, len(whole) - 9, len(whole) - 1}
            answers = [
                pushing.post("csv", whole[:cut], **{"Content-Encoding": coding}) for cut in cuts
            ]
            assert {(status, said["result"]) for status, said, _ in answers} == {(400, "fail")}
    assert not legs(daemon, *map(uniqueid, range(61, 67)))

    for coding, whole_ones in bodies.items():
        for whole in whole_ones:
            push(pushing, Posted("csv", whole, headers={"Content-Encoding": coding}))
    assert len(legs(daemon, *map(uniqueid, range(61, 67)))) == 6


def test_who_may_push_to_one_source_may_do_nothing_else(
    pushing: Pusher,
) -> None:
    daemon = pushing.daemon
    one = pusher(daemon, "one", "csv", "gone")
    statuses = {
        "its own": one.post("csv", record(41))[0],
        "another's": one.post("json", record(41))[0],
        "nobody's": one.post("nobody", record(41))[0],
        "one that is not configured": one.post("gone", record(41))[0],
        "a wrong token": Pusher(daemon, "wrong").post("csv", record(41))[0],
        "no token": Pusher(daemon, "").post("csv", record(41))[0],
        "in the query": Pusher(daemon, "").post("csv", record(41), query=f"?token={one.token}")[0],
    }

    assert statuses == {
        "its own": 200,
        "another's": 403,
        "nobody's": 403,
        "one that is not configured": 404,
        "a wrong token": 401,
        "no token": 401,
        "in the query": 200,
    }


def test_every_push_that_the_readme_shows_is_stored(
    tmp_path: Path, server_dsn: str, template: str
) -> None:
    """Its settings, its user and its commands, run as they stand there."""
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (shown,) = [block for language, block in blocks if "push: true" in block]
    (path := tmp_path / "shown.yaml").write_text(shown, encoding="utf-8")
    sources = [
        {**source.model_dump(include={"name", "pbx", "zone"}), "kind": source.kind, "push": "true"}
        for source in load_settings(path, environment={}).sources
    ]
    names = [source["name"] for source in sources]
    with cloned(server_dsn, template) as dsn:
        daemon = DaemonProcess(tmp_path, dsn, sources)
        daemon.write_config()
        daemon.start()
        made = pusher(daemon, "hq-pusher", *names)
        wait_until(lambda: all(made.post(name, b"?")[0] == 200 for name in names), what="ready")
        commands = [block for language, block in blocks if language == "bash"]
        answers = [
            subprocess.run(
                ["bash", "-c", command.replace("http://127.0.0.1:8887", daemon.url)],
                env={**os.environ, "TOKEN": made.token},
                capture_output=True,
                check=True,
            ).stdout
            for command in commands
        ]
        assert daemon.stop() == 0

    assert [json.loads(answer) for answer in answers] == [stored(1)] * len(names)
