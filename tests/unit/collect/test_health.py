"""What a forwarder tells of itself: in seconds, whatever its clock says; and each mishap once."""

from __future__ import annotations

from cdrd.collect.happened import Happened, What
from cdrd.collect.health import Health
from cdrd.collect.pieces import LONGEST_WORDS, Told, arrived, shipped

PATH = "/pbx/Master.csv"


class Timed:
    """Health by a stopwatch that is set."""

    def __init__(self) -> None:
        self.now = 5.0
        self.health = Health(lambda: self.now)


def test_how_long_it_is_behind_is_counted_from_the_oldest_unread_byte() -> None:
    it = Timed()
    it.health.lags(100)
    it.now += 30
    it.health.lags(250)
    assert (it.health.told().lag_bytes, it.health.told().behind_seconds) == (250, 30)

    it.health.read(100)
    it.health.lags(150)
    it.now += 5
    assert it.health.told().behind_seconds == 5

    it.health.read(150)
    it.health.lags(0)
    assert (it.health.told().lag_bytes, it.health.told().behind_seconds) == (0, None)


def test_a_file_that_cannot_be_read_is_told_until_it_can() -> None:
    it = Timed()
    it.health.happened(
        Happened(What.FILE_UNREADABLE, PATH, {"error": "Permission denied"}), followed=True
    )
    it.now += 7
    said = it.health.told()
    it.health.is_told(said)
    again = it.health.told()
    it.health.happened(Happened(What.FILE_READABLE, PATH, {}), followed=True)

    assert said.failing_seconds == 7
    assert said.error == f"{PATH}: file_unreadable: error Permission denied"
    assert (again.failing_seconds, again.error) == (7, None)
    assert it.health.told().failing_seconds is None


def test_a_mishap_is_told_again_until_it_arrived() -> None:
    it = Timed()
    it.health.happened(Happened(What.BYTES_UNREAD, PATH, {"bytes": 10}), followed=True)
    lost = it.health.told()
    it.health.happened(Happened(What.BYTES_UNREAD, PATH, {"bytes": 5}), followed=True)
    said = it.health.told()
    it.health.is_told(said)

    assert (lost.unread_bytes, said.unread_bytes) == (10, 15)
    assert (it.health.told().unread_bytes, it.health.told().error) == (0, None)


def test_whatever_went_wrong_can_be_told() -> None:
    it = Timed()
    it.health.noticed("\0" + "caf\udce9" + "x" * 2 * LONGEST_WORDS)
    told = Told(1, it.health.told())

    assert arrived(shipped(told)) == told
    assert told.wellbeing.error is not None
    assert told.wellbeing.error.startswith("caf\\udce9x")
