"""One source is forwarded: its files are followed as the daemon follows them, and stored elsewhere.

What a piece becomes, and where its last whole record ends, only the collector knows. So the follower's
`decode` is a question to the collector, which is answered once everything is committed; and what the
follower goes on from is what the collector has. Nothing is remembered here that could disagree with that.
"""

from __future__ import annotations

from cdrd.clock import Stopwatch, stopwatch
from cdrd.collect.follow import Reading
from cdrd.collect.happened import WARNED
from cdrd.collect.health import Health
from cdrd.collect.paths import SourceFiles
from cdrd.collect.pauses import Pauses
from cdrd.collect.pieces import Begun, Shipment, Taking, Told
from cdrd.collect.tracks import Appetite, Piece, Taken
from cdrd.collect.uplink import Uplink
from cdrd.errors import CdrdError, CollectorUnavailable, Conflict, SourceUnavailable
from cdrd.forward_settings import ForwardedSettings
from cdrd.logs import get_logger
from cdrd.records import DecodedChunk, FileId

_TELL_EVERY = 5.0
"""Seconds after which the collector is told how the source is doing, if there is nothing to ship."""
_MEASURE_EVERY = 1.0
_FAULTS = (CollectorUnavailable, Conflict, SourceUnavailable, OSError)
_NOTHING = DecodedChunk((), (), 0, 0)


class Forwarded:
    """One source of a forwarder."""

    def __init__(
        self,
        source: ForwardedSettings,
        uplink: Uplink,
        *,
        machine: str,
        watch: Stopwatch = stopwatch,
    ) -> None:
        self.name = source.name
        self._source = source
        self._uplink = uplink
        self._machine = machine
        self._watch = watch
        self._log = get_logger(source=source.name)
        self._begun: Begun | None = None
        """None until the collector has said what there is to go on from."""
        self._files: SourceFiles | None = None
        self._most_bytes = 0
        self._file_id: FileId | None = None
        """What the collector calls the file of the piece that it took last."""
        self._health = Health(watch)
        self._told_at = self._measured_at = float("-inf")
        self._pauses = Pauses()
        self._wakes_at = float("-inf")

    @property
    def is_well(self) -> bool:
        """Whether the collector takes what is sent."""
        return not self._pauses.failures

    def turn(self, longest_pause: float, batch_bytes: int) -> float:
        """Ships what comes next; returns when it is its turn again."""
        now = self._watch()
        if now < self._wakes_at:
            return self._wakes_at
        try:
            taken = self._next(batch_bytes)
        except _FAULTS as fault:
            self._wakes_at = now + self._failed(fault, longest_pause)
            return self._wakes_at
        if not self.is_well:
            self._pauses.over()
            self._log.info("forwarding_again")
        poll = 0.0 if taken else self._source.idle_poll.total_seconds()
        self._wakes_at = self._watch() + poll
        return self._wakes_at

    def close(self) -> None:
        """Lets go of every file."""
        if self._files is not None:
            self._files.close()

    def _next(self, batch_bytes: int) -> bool:
        """One piece, or what there is to remember of a file, or how it is doing; whether it was a piece."""
        files = self._files
        if self._begun is None or files is None:
            files = self._begin(batch_bytes)
        taken = files.take()
        if taken is not None:
            self._remember(taken)
        for fact in files.happened():
            self._health.happened(fact, followed=fact.path in files.paths)
            tell = self._log.warning if fact.what in WARNED else self._log.info
            tell(fact.what.value, path=fact.path, **fact.detail)
        self._measure(files)
        if taken is None and self._watch() - self._told_at >= _TELL_EVERY:
            self._tell()
        return taken is not None

    def _begin(self, batch_bytes: int) -> SourceFiles:
        begun = self._uplink.begin(self.name, self._machine)
        if self._files is None or begun.most_bytes != self._most_bytes:
            self.close()
            self._most_bytes = begun.most_bytes
            appetite = Appetite(min(batch_bytes, begun.most_bytes), begun.most_bytes)
            reading = Reading(self._ask, appetite, stopwatch=self._watch)
            self._files = SourceFiles(self._source.path, self._source.rotated, reading)
        self._files.resume(begun.files)
        self._begun = begun
        self._told_at = float("-inf")
        self._log.info("forwarding_begun", epoch=begun.epoch, files=len(begun.files))
        return self._files

    def _ask(self, piece: Piece) -> DecodedChunk:
        """Where the collector has stored a piece up to; it is stored when this returns."""
        data = piece.data if piece.final else piece.data[: piece.data.rfind(b"\n") + 1]
        if not data:
            return _NOTHING  # no record ends within a line
        taking = self._ship(piece, data)
        self._health.read(taking.consumed)
        return DecodedChunk((), (), taking.consumed, taking.lines)

    def _ship(self, piece: Piece, data: bytes) -> Taking:
        begun = self._begun
        if begun is None:
            raise Conflict("forwarding has not begun")
        wellbeing = self._health.told()
        shipment = Shipment(begun.epoch, piece.start, data, piece.final, wellbeing)
        taking = self._uplink.ship(self.name, shipment)
        self._health.is_told(wellbeing)
        self._file_id = taking.file
        self._told_at = self._watch()
        return taking

    def _remember(self, taken: Taken) -> None:
        """From now on it is known what the collector calls the file; a note is told it first."""
        if not taken.chunk.data:
            position = taken.position
            self._ship(
                Piece(data=b"", offset=position.offset, line=position.line, start=position), b""
            )
        if self._file_id is None:
            raise CollectorUnavailable("the collector does not say which file that is")
        taken.generation.file_id = self._file_id

    def _measure(self, files: SourceFiles) -> None:
        if self._watch() - self._measured_at >= _MEASURE_EVERY:
            self._measured_at = self._watch()
            self._health.lags(files.lag())

    def _tell(self) -> None:
        if self._begun is not None:
            wellbeing = self._health.told()
            self._uplink.tell(self.name, Told(self._begun.epoch, wellbeing))
            self._health.is_told(wellbeing)
            self._told_at = self._watch()

    def _failed(self, fault: Exception, longest_pause: float) -> float:
        """How long to wait: said once until it goes well again; after each fault the collector is asked."""
        self._begun = None
        if self.is_well:
            hint = fault.hint if isinstance(fault, CdrdError) else None
            self._log.warning("forwarding_failed", error=str(fault), hint=hint)
        if isinstance(fault, SourceUnavailable | OSError):
            self._health.noticed(str(fault))
        asked = fault.seconds if isinstance(fault, CollectorUnavailable) else 0.0
        return asked + self._pauses.next(longest_pause)
