"""A PBX under load, as a process of its own: appends records at an even rate, and says when it did each.

Opens, appends and closes for every record, as Asterisk does. Its arguments: the file, the number of
the first record, how many records, how many a second, and where to write the times (nanoseconds of the
monotonic clock, one a line, taken before each append; that clock is the same in every process of a machine).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.pbx import record


def main(path: Path, first: int, count: int, rate: int, times: Path) -> None:
    """Writes them all."""
    before = []
    started = time.monotonic()
    for number in range(first, first + count):
        wait = started + (number - first) / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)  # the rate of the load
        text = record(number)
        before.append(time.monotonic_ns())
        with path.open("ab") as file:
            file.write(text)
    times.write_text("\n".join(map(str, before)))


if __name__ == "__main__":
    path, *numbers, times = sys.argv[1:]
    first, count, rate = map(int, numbers)
    main(Path(path), first, count, rate, Path(times))
