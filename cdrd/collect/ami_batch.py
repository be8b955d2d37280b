"""Messages of a manager interface become deliveries: one for each kind of record that they hold."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cdrd.beside import CelEvent, QueueEvent
from cdrd.decode.ami import AmiMessage
from cdrd.decode.ami_events import AmiReader
from cdrd.decode.copytext import copy_row
from cdrd.decode.event_rows import Place, cel_row, queue_row
from cdrd.decode.values import is_text
from cdrd.records import Decoded, Family, Rejected
from cdrd.store.deliveries import Sent

Heard = tuple[Family, Sent | Rejected]


def heard(
    reader: AmiReader, messages: Iterable[AmiMessage | Rejected], received: datetime
) -> list[Heard]:
    """The records in messages, in their order; what is no record at all counts as a leg that is none."""
    found: list[Heard] = []
    for message in messages:
        if isinstance(message, Rejected):
            found.append((Family.LEG, message))
            continue
        record = reader.read(message, received)
        if isinstance(record, Rejected):
            found.append((_family(message), record))
        elif record is not None:
            found.append(_sent(message, record))
    return found


def _family(message: AmiMessage) -> Family:
    known = {"Cdr": Family.LEG, "CEL": Family.CEL_EVENT}
    return known.get(message.name, Family.QUEUE_EVENT)


def _sent(message: AmiMessage, record: Decoded | CelEvent | QueueEvent) -> Heard:
    family = _family(message)
    if isinstance(record, Decoded):
        return family, Sent(copy_row(record), message.raw)
    original = None if is_text(message.raw) else message.raw
    place = Place(message.line, message.offset, original)
    row = cel_row(record, place) if isinstance(record, CelEvent) else queue_row(record, place)
    return family, Sent(row, message.raw)
