"""A forwarder with everything around it: files of a PBX, a collector in memory, a clock that is set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cdrd.collect.forward import Forwarded
from cdrd.collect.generations import Generation
from cdrd.collect.happened import What
from cdrd.collect.pieces import (
    Begun,
    Shipment,
    Taking,
    Told,
    arrived,
    file_as_json,
    file_of_json,
    shipped,
)
from cdrd.collect.tracks import Taken
from cdrd.errors import CollectorUnavailable, Conflict
from cdrd.forward_settings import ForwardedSettings
from cdrd.records import Chunk, DecodedChunk
from support.followed import ROTATED, Store, decode_lines

_MOST_BYTES = 65536


class Line:
    """What a forwarder calls its uplink: at the other end is a store in memory."""

    def __init__(self) -> None:
        self.store = Store()
        self.epoch = 0
        self.shipments = 0
        """How many arrived."""
        self.unread = 0
        """Bytes that it was told are gone."""
        self.cut: bool | None = None
        """The next shipment is not answered; True: but it is stored."""

    def begin(self, _source: str, _machine: str) -> Begun:
        self.epoch += 1
        known = sorted(self.store.positions.values(), key=lambda p: -(p.file_id or 0))
        return Begun(self.epoch, _MOST_BYTES, [file_of_json(file_as_json(one)) for one in known])

    def ship(self, _source: str, shipment: Shipment) -> Taking:
        sent = arrived(shipped(shipment))
        assert sent == shipment
        self.shipments += 1
        cut, self.cut = self.cut, None
        if cut is False:
            raise CollectorUnavailable("it never arrived")
        taking = self._stored(shipment)
        if cut:
            raise CollectorUnavailable("the answer got lost")
        return taking

    def tell(self, _source: str, told: Told) -> None:
        self._check(told.epoch)
        self.unread += told.wellbeing.unread_bytes

    def _check(self, epoch: int) -> None:
        if epoch != self.epoch:
            raise Conflict("another forwarder has begun")

    def _stored(self, shipment: Shipment) -> Taking:
        self._check(shipment.epoch)
        self.unread += shipment.wellbeing.unread_bytes
        start = shipment.start
        chunk = Chunk(shipment.data, start.offset, start.line, final=shipment.final)
        decoded = decode_lines(chunk) if chunk.data else DecodedChunk((), (), 0, 0)
        if chunk.data and not decoded.consumed:
            return Taking(start.file_id, 0, 0)
        generation = Generation(start, file_id=start.file_id)
        self.store.append(Taken(generation, start, chunk, decoded))
        return Taking(generation.file_id, decoded.consumed, decoded.lines)


class Shipping:
    """A source that is forwarded in steps; to a model it looks like one that is followed here."""

    def __init__(self, path: Path, *, batch_bytes: int = 4096) -> None:
        self._settings = ForwardedSettings(name="hq", path=str(path), rotated=ROTATED)
        self._batch_bytes = batch_bytes
        self.line = Line()
        self.now = 1000.0
        self.told: list[str] = []
        self.start()

    @property
    def store(self) -> Store:
        return self.line.store

    @property
    def files(self) -> Forwarded:
        return self._forwarded

    def start(self) -> None:
        """A new process, which knows nothing."""
        self._forwarded = Forwarded(
            self._settings,
            self.line,  # type: ignore[arg-type]  # as much of it as is asked for
            machine="pbx",
            watch=lambda: self.now,
        )
        self._wakes_at = 0.0

    def restart(self) -> None:
        """Killed, and started again."""
        self._forwarded.close()
        self.start()

    def take(self) -> None:
        """One turn; what comes of it is stored."""
        self.now = max(self.now + 0.2, self._wakes_at)
        self._wakes_at = self._forwarded.turn(1.0, self._batch_bytes)

    def read(self) -> Counter[str]:
        """Until nothing is shipped any more; returns all that is stored."""
        idle = 0
        while idle < 3:
            before = self.line.shipments
            self.take()
            idle = 0 if self.line.shipments > before else idle + 1
        return self.store.texts

    def wait(self) -> Counter[str]:
        """Long enough for a quiet file to count as one that nobody writes to."""
        self.read()
        self.now += 10
        return self.read()

    def heard(self, what: What) -> bool:
        """Whether the collector was told that."""
        assert what is What.BYTES_UNREAD
        return self.line.unread > 0
