"""What was heard on a manager interface and is not stored yet, and how it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from cdrd import metrics
from cdrd.clock import stopwatch, wait_for
from cdrd.collect.ami_batch import Heard
from cdrd.collect.counted import count
from cdrd.collect.pauses import Pauses
from cdrd.collect.turns import Turns
from cdrd.errors import Conflict, Unavailable
from cdrd.records import Claim, Family
from cdrd.store.database import in_time
from cdrd.store.deliveries import Answer, Delivery, append_records
from cdrd.store.identity import Recognition

_MOST_HELD = 64 << 20
"""Bytes of records that wait to be stored."""
_AT_ONCE = 5000
"""Records that are stored at once."""
_STORE_SECONDS = 120.0
"""Seconds after which a database that says nothing at all counts as away."""
_MAY_BE_OURS = 40.0
"""Seconds after which the database has let go of whoever said nothing any more."""
_CLAIM_EVERY = 1.0
_LONGEST_PAUSE = 5.0
"""Seconds between two attempts to store."""


class Held:
    """Records in the order of hearing, in memory: nobody will say them again."""

    def __init__(self) -> None:
        self._records: list[Heard] = []
        self._size = 0
        self._came = asyncio.Event()
        self._is_ended = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._records)

    @property
    def is_full(self) -> bool:
        """There is no room for more."""
        return self._size > _MOST_HELD

    def add(self, records: Sequence[Heard]) -> None:
        """These were heard."""
        if records:
            self._records += records
            self._size += sum(len(record.raw) for _, record in records)
            self._came.set()

    def ends(self) -> None:
        """Nothing more will be heard."""
        self._is_ended = True
        self._came.set()

    async def next(self, seconds: float) -> Sequence[Heard] | None:
        """What is to be stored now; nothing when nothing comes for so long; None at the end."""
        await wait_for(self._came, seconds)
        return None if self._is_ended and not self._records else self._records[:_AT_ONCE]

    def stored(self, number: int) -> None:
        """The first so many are stored."""
        self._size -= sum(len(record.raw) for _, record in self._records[:number])
        del self._records[:number]
        if not self._records and not self._is_ended:
            self._came.clear()


class Storing:
    """Stores what is heard of one source, each record once."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._refused: int | None = None
        """The epoch of a claim that was refused; when the one made after it is as well, that is the end."""

    async def store(
        self, claim: Claim, recognition: Recognition, records: Sequence[Heard]
    ) -> Claim:
        """Returns the claim that they are stored under. Raises Conflict when another daemon has it."""
        for family in Family:
            found = [record for kind, record in records if kind is family]
            if found:
                delivery = Delivery(
                    claim.source_id, recognition, found, family=family, epoch=claim.epoch
                )
                claim = await self._deliver(claim, delivery)
        return claim

    async def _deliver(self, claim: Claim, delivery: Delivery) -> Claim:
        """Until it is stored. What a fault may have let through is said to be sent again: it counts once.

        After a fault the source is claimed anew, as the claim ends with its connection. The same where
        somebody has claimed it since then: that may have been we, and the answer did not arrive.
        """
        pauses, turns = Pauses(), self._turns
        while (answer := await self._attempt(delivery)) is None:
            await asyncio.sleep(pauses.next(_LONGEST_PAUSE))
            with suppress(Unavailable):
                claim = await self._claimed_again(claim)
            again = delivery.recognition._replace(repeats=True)
            delivery = replace(delivery, epoch=claim.epoch, recognition=again)
        self._refused = None
        turns.reporter.well("storing")
        count(turns.log, turns.source.name, delivery.family, delivery.records, answer)
        return claim

    async def _attempt(self, delivery: Delivery) -> Answer | None:
        try:
            async with in_time(_STORE_SECONDS):
                return await append_records(self._turns.database, delivery)
        except Conflict as fault:
            if self._refused not in (None, delivery.epoch):
                raise
            self._refused = delivery.epoch
            self._failed(fault)
        except Unavailable as fault:
            self._failed(fault)
        return None

    def _failed(self, fault: Exception) -> None:
        kind = type(fault).__name__
        metrics.faults.labels("collect", kind).inc()
        self._turns.reporter.fails("storing", str(fault) or kind)

    async def held(self, claim: Claim) -> Claim:
        """The claim, made again where the connection that held it has ended."""
        is_held = await self._turns.claims.is_held(claim)
        return claim if is_held else await self._claimed_again(claim)

    async def _claimed_again(self, claim: Claim) -> Claim:
        """Who seems to have the source may be we ourselves, by a connection that ended only here."""
        until = stopwatch() + _MAY_BE_OURS
        async with in_time(_STORE_SECONDS):
            while (anew := await self._turns.claims.claim(claim.source_id)) is None:
                if stopwatch() >= until:
                    raise Conflict("another daemon hears this source now")
                await asyncio.sleep(_CLAIM_EVERY)
        return anew
