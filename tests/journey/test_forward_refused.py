"""What a collector refuses of a forwarder, and a forwarder of a collector; and how that is said."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from support.daemon import cdrd
from support.forwarding import Collector, collecting, followed, forwarding
from support.pbx import record
from support.postgres import cloned
from support.tls import certificate_in
from support.waiting import DEADLINE, wait_until

from cdrd.collect.identity import beginning
from cdrd.collect.pieces import Shipment, Wellbeing, shipped
from cdrd.records import FileId, FilePosition

SOURCES = [
    {"name": name, "kind": "asterisk-csv", "pbx": name}
    for name in ("secure", "one", "again", "mine", "theirs")
]
Post = Callable[..., tuple[int, dict[str, Any]]]
START = FilePosition(None, "/pbx/Master.csv", "1:2", beginning(record(0)), 0, 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory, server_dsn: str, template: str, certificate: Path
) -> Iterator[Collector]:
    """One for all facts here, each of which has sources of its own; it speaks HTTPS."""
    secure = {"certificate": str(certificate), "key": str(certificate.with_name("key.pem"))}
    folder = tmp_path_factory.mktemp("collector")
    with cloned(server_dsn, template) as dsn, collecting(folder, dsn, SOURCES, **secure) as made:
        yield made


@pytest.fixture
def post(collector: Collector, certificate: Path) -> Post:
    """Asks as a forwarder does: status and answer."""
    context = ssl.create_default_context(cafile=str(certificate))

    def posted(path: str, body: bytes, token: str = collector.token) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        request = Request(f"{collector.url}/forward/{path}", data=body, headers=headers)  # noqa: S310 - loopback
        try:
            with urlopen(request, timeout=DEADLINE, context=context) as response:  # noqa: S310 - as above
                return response.status, json.load(response)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)

    return posted


def begun(post: Post, source: str) -> int:
    """The epoch of a forwarder that begins, once the source takes something."""

    def begin() -> dict[str, Any] | None:
        status, said = post(f"{source}/begin", b'{"machine": "pbx"}')
        return said if status == 200 else None

    epoch: int = wait_until(begin, what="it has begun")["epoch"]
    return epoch


def piece(epoch: int, start: FilePosition, data: bytes) -> bytes:
    return shipped(Shipment(epoch, start, data, final=False, wellbeing=Wellbeing()))


def test_the_certificate_of_the_collector_has_to_be_right(
    tmp_path: Path, collector: Collector, certificate: Path
) -> None:
    """Not of anybody's, and not for another name; nothing is sent, the token neither, before that is sure."""
    source = followed(tmp_path, "secure")
    Path(source["path"]).write_bytes(record(0))
    with forwarding(tmp_path, collector, [source]) as forwarder:
        stranger = forwarder.check()
        forwarder.collector = {"ca": str(certificate)}
        forwarder.write_config()
        known = forwarder.check()
        forwarder.url = collector.url.replace("127.0.0.1", "localhost")
        forwarder.write_config()
        misnamed = forwarder.check()
        forwarder.url = collector.url
        forwarder.write_config()
        forwarder.start()
        collector.wait_for_legs("secure", 1)

    assert (stranger.returncode, known.returncode, misnamed.returncode) == (69, 0, 69)
    assert "certificate verify failed" in stranger.stderr
    assert "certificate verify failed" in misnamed.stderr
    assert known.stdout.splitlines()[-1].endswith("fine; 1 source(s)")


def test_check_says_what_the_collector_refuses(
    tmp_path: Path, collector: Collector, certificate: Path
) -> None:
    """A source that the token is not for, a token that is none, files that nobody may read, nobody there."""
    with forwarding(
        tmp_path, collector, [followed(tmp_path, "other")], ca=str(certificate)
    ) as forwarder:
        forbidden = forwarder.check()
        forwarder.sources, forwarder.token = [followed(tmp_path, "one")], "wrong"
        forwarder.write_config()
        unknown = forwarder.check()
        forwarder.url = "http://127.0.0.1:1"
        forwarder.write_config()
        away = forwarder.check()

    assert {done.returncode for done in (forbidden, unknown, away)} == {69}
    assert "answers 403: " in forbidden.stderr
    assert "Its user needs `--push` for this source." in forbidden.stderr
    assert "answers 401: " in unknown.stderr
    assert "Connection refused" in away.stderr


def test_a_source_is_forwarded_by_one_machine_while_that_is_heard(
    tmp_path: Path, collector: Collector, certificate: Path, post: Post
) -> None:
    source = followed(tmp_path, "one")
    Path(source["path"]).write_bytes(record(0))
    with forwarding(tmp_path, collector, [source], ca=str(certificate)) as forwarder:
        forwarder.start()
        wait_until(
            lambda: collector.asked(
                "SELECT 1 FROM source_report JOIN source USING (source_id) WHERE name = 'one'"
            ),
            what="it is heard",
        )
        status, said = post("one/begin", b'{"machine": "another"}')

    assert (status, said["result"]) == (409, "retry")
    assert "has this source; a source is forwarded by one machine" in said["message"]


def test_what_was_sent_before_the_forwarder_began_again_is_refused(
    collector: Collector, post: Post
) -> None:
    """However late it arrives, or twice; and so is what does not go on where the file is stored up to."""
    first, second = begun(post, "again"), begun(post, "again")
    late, _ = post("again", piece(first, START, record(0)))
    stored, said = post("again", piece(second, START, record(0)))
    repeated, _ = post("again", piece(second, START, record(0)))
    moved = replace(START, file_id=FileId(said["file"]))
    twice, _ = post("again", piece(second, moved, record(0)))
    cut, _ = post("again", piece(second, moved, record(0))[:-1])

    assert (late, stored, repeated, twice, cut) == (409, 200, 409, 409, 400)
    assert (said["consumed"], said["lines"]) == (len(record(0)), 1)
    assert len(collector.places("again")) == 1


def test_the_file_of_another_source_cannot_be_moved_on(collector: Collector, post: Post) -> None:
    """A token is for its own sources, whatever number of a file its owner makes up."""
    mine, theirs = begun(post, "mine"), begun(post, "theirs")
    _, said = post("mine", piece(mine, START, record(0)))
    position = replace(START, file_id=FileId(said["file"]), offset=len(record(0)), line=2)
    status, _ = post("theirs", piece(theirs, position, record(1)))

    assert status == 409
    assert collector.stored_bytes("mine") == len(record(0))
    assert len(collector.places("mine")) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"epoch": -1, "wellbeing": {"unread_bytes": 0}}\n',
        b'{"epoch": 1, "wellbeing": {"unread_bytes": 0, "behind_seconds": 1e99}}\n',
        b'{"epoch": 1, "wellbeing": {"unread_bytes": 0}, "bytes": 0, "start": {"path": "\\u0000"}}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_what_is_no_piece_is_refused_as_the_senders_fault(post: Post, body: bytes) -> None:
    begun(post, "again")
    status, said = post("again", body)

    assert (status, said["result"]) == (400, "fail")


def test_wrong_settings_are_all_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "forward.yaml"
    config.write_text(
        "collector:\n  url: http://collector.example:8887\n  timeout: 1h\n"
        "sources:\n  - name: HQ\n    path: ''\n  - name: hq\n"
    )
    done = cdrd("forward", "--config", str(config))

    places = [line.split(": ")[2] for line in done.stderr.splitlines()]
    assert done.returncode == 78
    assert places == [
        "collector.url",
        "collector.timeout",
        "sources[0].name",
        "sources[0].path",
        "sources[1].path",
    ]
    assert "write https://, or plain_http: true" in done.stderr


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    config = tmp_path / "forward.yaml"
    config.write_text(
        "collector: {url: 'https://collector.example:8887', ca: nowhere.pem}\n"
        "sources: [{name: hq, path: Master.csv}]\n"
    )
    done = cdrd("forward", "--config", str(config))

    assert done.returncode == 78
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == [
        "collector.token_file",
        "collector.ca",
    ]
