"""The real daemon takes carriers' files out of a drop folder, beside what somebody imports by hand."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.carriers import MAPPING, Office, bill
from support.daemon import DaemonProcess, cdrd
from support.sources import every_record_is_accounted_for
from support.waiting import wait_until


class Delivered(Office):
    """An office whose daemon looks into a drop folder."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, dsn)
        self.drop = folder / "drop"
        self.drop.mkdir()
        source = {
            "name": "alpha-bills",
            "kind": "carrier",
            "carrier": "alpha",
            "drop": str(self.drop / "*.csv"),
            "complete_after": "50ms",
        }
        collect = {"carriers": str(self.carriers), "batch_bytes": "4096"}
        self.daemon = DaemonProcess(folder, dsn, [source], more={"collect": collect})
        self.daemon.write_config()

    def deliver(self, name: str, text: str) -> Path:
        """As rsync does: under another name first."""
        path = self.write(f"drop/{name}.part", text)
        return path.rename(self.drop / name)

    def wait_for(self, *states: str) -> None:
        wait_until(lambda: self.states() == list(states), what=f"files are {states}")


@pytest.fixture
def office(tmp_path: Path, dsn: str) -> Iterator[Delivered]:
    office = Delivered(tmp_path, dsn)
    yield office
    office.daemon.kill()


def test_a_delivered_file_is_stored_once_whoever_brings_it(office: Delivered) -> None:
    office.daemon.start()
    july = office.deliver("july.csv", bill(0, 50))
    office.wait_for("finished")
    assert office.count() == 50

    office.deliver("again.csv", bill(0, 50))
    office.wait_for("finished", "held")
    by_hand = office.load(july)  # the very file that the daemon has read
    assert (by_hand.exit_code, "held, because it is like file 1" in by_hand.output) == (1, True)

    august = office.write("august.csv", bill(50, 80))
    assert "30 rows stored" in office.load(august).output
    shutil.copy(august, office.drop / "august.csv")
    office.wait_for("finished", "held", "held", "finished", "held")
    assert office.count() == 80

    assert office.run("file", "release", "5").exit_code == 0
    office.wait_for("finished", "held", "held", "finished", "finished")
    assert office.count() == 110
    assert office.daemon.stop() == 0
    assert every_record_is_accounted_for(office.dsn)

    status = office.run("status").output
    assert "alpha-bills (carrier alpha): not collected" in status
    assert "import:alpha (carrier alpha): open" in status
    assert "records 80: carrier rows 80, suspended 0, duplicates 0" in status


def test_a_file_that_somebody_imports_from_the_folder_is_not_read_by_the_daemon_too(
    office: Delivered,
) -> None:
    july = office.deliver("july.csv", bill(0, 50))
    assert "50 rows stored" in office.load(july).output
    office.daemon.start()
    office.deliver("august.csv", bill(50, 60))

    wait_until(lambda: office.count() >= 60, what="the other file")
    assert (office.count(), office.states()) == (60, ["finished", "finished"])


def test_a_file_with_another_header_waits_until_the_mapping_is_put_right(office: Delivered) -> None:
    office.daemon.start()
    office.deliver("july.csv", bill(0, 50).replace("Cost", "Price"))

    [told] = wait_until(lambda: office.daemon.events("file_unreadable"), what="it is told")
    assert told["error"] == "carrier alpha: the header has no column Cost"
    wait_until(
        lambda: "the header has no column Cost" in office.run("status").output,
        what="status has it",
    )
    assert office.states() == []

    columns = {**MAPPING["columns"], "cost": "Nothing"}
    office.know("alpha", {**MAPPING, "columns": columns, "zone": "Mars"})
    office.daemon.send(signal.SIGHUP)
    [refused] = wait_until(lambda: office.daemon.events("reload_refused"), what="it is refused")
    assert "Mars is no time zone" in json.dumps(refused)

    office.know("alpha", {**MAPPING, "columns": {**columns, "cost": "Price"}})
    office.daemon.send(signal.SIGHUP)
    office.wait_for("finished")
    assert office.count() == 50


def test_a_daemon_that_is_killed_while_it_reads_goes_on(office: Delivered) -> None:
    rows = 20_000
    office.deliver("july.csv", bill(0, rows))
    stored = 0
    for _ in range(2):
        office.daemon.start()
        wait_until(lambda before=stored: office.count() > before, what="more rows")
        office.daemon.kill()
        stored = office.count()
        assert stored < rows

    office.daemon.start()
    office.wait_for("finished")
    assert office.ask(
        "SELECT count(*), count(DISTINCT called), max(carrier_row_id) FROM carrier_row"
    ) == [(rows, rows, rows)]
    assert every_record_is_accounted_for(office.dsn)


def test_a_daemon_with_a_wrong_carrier_file_does_not_start(office: Delivered) -> None:
    (office.carriers / "alpha.yaml").unlink()
    ended = cdrd("-c", str(office.config), "run")
    assert ended.returncode == 78
    assert "there is no such file for the carrier alpha" in ended.stderr


def test_a_file_that_comes_by_both_ways_in_the_same_moment_is_stored_once(
    office: Delivered,
) -> None:
    office.daemon.start()
    for number in range(6):
        text = bill(number * 500, number * 500 + 500)
        by_hand = office.write(f"{number}.csv", text)
        office.deliver(f"{number}.csv", text)
        office.load(by_hand)
    decided = ["finished"] * 6 + ["held"] * 6
    wait_until(lambda: sorted(office.states()) == decided, what="one of each pair is held")

    assert (office.count(), office.daemon.stop()) == (3000, 0)
    assert every_record_is_accounted_for(office.dsn)
