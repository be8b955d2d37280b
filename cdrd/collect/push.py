"""What is pushed is stored before it is answered.

A push has no file to be read again from: whoever sent it holds it until it is told that it is stored, and
sends it again when it is told nothing. So the same delivery is answered as often as it comes, and stored
once. It is the same when its key and its document are the same; and where only its records are, each of
them is recognised as one that is there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from hashlib import sha256

from cdrd import metrics
from cdrd.collect.counted import count
from cdrd.collect.readiness import until_made
from cdrd.collect.stage import shape_of
from cdrd.collect.waiting import wait
from cdrd.decode.bodies import document, records
from cdrd.decode.decoders import Shape
from cdrd.decode.values import Problem
from cdrd.errors import Conflict, SourceUnavailable
from cdrd.logs import get_logger
from cdrd.records import Push, Receipt, Rejected, SourceId
from cdrd.source_settings import SourceSettings
from cdrd.store.arrivals import recognition_of
from cdrd.store.database import Database, in_time
from cdrd.store.deliveries import Delivery, Outcome, Sent, append_records
from cdrd.store.identity import Recognition
from cdrd.store.sources import register_source

_AT_ONCE = 65536
"""Bytes that are decoded at once; a larger document is decoded by a thread, so that others go on."""
_STORE_SECONDS = 30.0
"""Whoever pushed waits no longer than that for the database."""


class Receiver:
    """One source that is pushed to."""

    def __init__(
        self,
        source: SourceSettings,
        database: Database,
        source_id: SourceId,
        recognition: Recognition,
    ) -> None:
        self._name = source.name
        self._shape = shape_of(source)
        [self._family] = source.kind.families
        self._database = database
        self._source_id = source_id
        self._recognition = recognition._replace(repeats=True)
        self._log = get_logger(source=source.name)

    async def receive(self, push: Push) -> Receipt:
        """Stores a push, and says what became of its records."""
        if len(push.body) > _AT_ONCE:
            key, found = await asyncio.to_thread(read, self._shape, push)
        else:
            key, found = read(self._shape, push)
        delivery = Delivery(self._source_id, self._recognition, found, family=self._family, key=key)
        try:
            async with in_time(_STORE_SECONDS):
                answer = await append_records(self._database, delivery)
        except Conflict as error:
            raise SourceUnavailable("the push could not be stored at the moment") from error
        count(self._log, self._name, self._family, found, answer)
        return Receipt(
            stored=answer.count(Outcome.STORED),
            duplicates=sum(became.again for became in answer.became),
            suspended=answer.count(Outcome.SUSPENDED),
        )


class Inbox:
    """The sources that take pushes now."""

    def __init__(self) -> None:
        self._receivers: dict[str, Receiver] = {}

    async def receive(self, source: str, push: Push) -> Receipt:
        """Stores a push. Raises Unavailable when it is not known to be stored: it may be sent again."""
        receiver = self._receivers.get(source)
        if receiver is None:
            raise SourceUnavailable(f"{source} takes no pushes at the moment")
        return await receiver.receive(push)

    def open(self, name: str, receiver: Receiver) -> None:
        """From now on pushes to this source are taken."""
        self._receivers[name] = receiver
        metrics.source_up.labels(name).set(1)

    def close(self, name: str) -> None:
        """No more pushes to this source."""
        self._receivers.pop(name, None)
        metrics.source_up.labels(name).set(0)


async def take_pushes(
    source: SourceSettings,
    *,
    database: Database,
    inbox: Inbox,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> None:
    """Takes pushes to a source until told to stop. Any number of daemons may do so at once."""
    try:
        receiver = await ready(source, database, beat, stopping)
        if receiver is not None:
            inbox.open(source.name, receiver)
        while not stopping.is_set():
            await wait(1.0, beat, stopping)
    finally:
        inbox.close(source.name)


async def ready(
    source: SourceSettings,
    database: Database,
    beat: Callable[[], None],
    stopping: asyncio.Event,
) -> Receiver | None:
    """The receiver, once the database knows the source; None when told to stop before."""
    return await until_made(partial(_receiver, source, database), source.name, beat, stopping)


async def _receiver(source: SourceSettings, database: Database) -> Receiver:
    source_id = await register_source(database, name=source.name, kind=source.kind, pbx=source.pbx)
    recognition = await recognition_of(database, source_id, source.kind, alone=True)
    if recognition is None:
        raise Conflict("the source was changed by another daemon")
    return Receiver(source, database, source_id, recognition)


def read(shape: Shape, push: Push) -> tuple[str, list[Sent | Rejected]]:
    """The delivery's key, and its records in their order."""
    inner = document(shape, push.body, push.content_type)
    content = push.body if isinstance(inner, Problem) else inner
    key = f"{push.key} {sha256(content).hexdigest()}".lstrip()
    if isinstance(inner, Problem):
        return key, [Rejected(content, 1, 0, *inner)]
    return key, [
        one if isinstance(one, Rejected) else Sent(*one) for one in records(shape, content)
    ]
