"""The log tells facts: no number above debug, no secret ever, nothing that a terminal would obey."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from cdrd.logs import configure_logs, escape_control, get_logger, mask_number


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def written(form: str, tell: Callable[[Any], None], *, level: str = "info") -> str:
    """What stands in the log after something was told to a logger."""
    stream = io.StringIO()
    configure_logs(form=form, level=level, stream=stream)
    tell(get_logger(source="hq"))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("01908555101", "***01"),
        ("+441908555101", "***01"),
        ('"Bob" <01908555101>', '"Bob" <***01>'),
        ("PJSIP/07700900123@trunk,30", "PJSIP/***23@trunk,30"),
        ("101", "101"),  # an extension is nobody's phone number
        ("", ""),
    ],
)
def test_of_a_number_only_the_last_two_digits_are_shown(text: str, expected: str) -> None:
    assert expected == mask_number(text)


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("key", ["src", "dst", "clid", "lastdata", "did", "raw"])
def test_numbers_are_masked_above_debug(form: str, key: str) -> None:
    assert "01908555" not in written(form, lambda log: log.info("told", **{key: "01908555101"}))


@pytest.mark.parametrize(
    "value", [["01908555101"], ("01908555101",), {"src": "01908555101"}, b"01908555101"]
)
def test_numbers_within_other_values_are_masked_too(value: object) -> None:
    assert "01908555" not in written("json", lambda log: log.info("told", clid=value))


def test_numbers_are_shown_with_debug() -> None:
    text = written("json", lambda log: log.debug("told", src="01908555101"), level="debug")

    assert json.loads(text)["src"] == "01908555101"


def test_a_count_is_no_phone_number() -> None:
    assert (
        json.loads(written("json", lambda log: log.info("told", legs=1234567)))["legs"] == 1234567
    )


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("key", ["password", "token", "dsn", "authorization", "cookie"])
def test_secrets_are_never_shown(form: str, level: str, key: str) -> None:
    def tell(log: Any) -> None:
        log.info("told", **{key: "hunter2"}, nested={key: "hunter2", "more": [{key: "hunter2"}]})

    assert "hunter2" not in written(form, tell, level=level)


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: str) -> None:
    def tell(log: Any) -> None:
        secret = "hunter" + "2"
        try:
            dict[int, str]()[len(secret)]
        except KeyError:
            log.exception("failed")

    text = written(form, tell)

    assert "KeyError: 7" in text
    assert "hunter2" not in text


HOSTILE = "\x1b[31mred\x07\r\n\x9b2J\u202egnp.exe\u2066x\u2028"


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_that_a_terminal_obeys_is_written(form: str) -> None:
    def tell(log: Any) -> None:
        log.warning(HOSTILE, name=HOSTILE, names=[HOSTILE])
        try:
            int(HOSTILE)
        except ValueError:
            log.exception("failed", name=HOSTILE)
            logging.getLogger("a library").exception("library: %s", HOSTILE)

    text = written(form, tell)

    assert not set(text) & set("\x1b\x07\r\x9b\u202e\u2066\u2028")


@given(st.text())
def test_only_what_a_terminal_obeys_is_escaped(text: str) -> None:
    escaped = escape_control(text)

    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in escaped)
    assert escape_control(escaped) == escaped
    if text.isprintable():
        assert escaped == text


def test_json_is_one_object_a_line_whatever_is_told() -> None:
    def tell(log: Any) -> None:
        log.info("first", text=HOSTILE, raw=b"\xff\x00", thing=object(), none=None)
        log.error("second", problems=["a\nb"])
        logging.getLogger("a library").warning("third\n%s", HOSTILE)

    lines = written("json", tell).splitlines()

    assert [json.loads(line)["event"].split()[0] for line in lines] == ["first", "second", "third"]


def test_json_has_the_level_the_time_in_utc_and_what_the_logger_was_given() -> None:
    event = json.loads(written("json", lambda log: log.warning("file_rotated")))

    assert (event["event"], event["level"], event["source"]) == ("file_rotated", "warning", "hq")
    assert event["timestamp"].endswith("Z")


def test_what_is_below_the_level_is_not_written() -> None:
    assert written("json", lambda log: log.info("told"), level="warning") == ""


def test_auto_is_json_where_nobody_watches() -> None:
    assert json.loads(written("auto", lambda log: log.info("told")))["event"] == "told"
