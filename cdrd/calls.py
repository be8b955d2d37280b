"""A whole call as types: the row that its legs and events become."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from cdrd.records import AcctId

made: Final = tuple.__new__
"""Makes a named tuple of all its values: its own constructor, a Python function, takes twice as long."""


class CallDirection(StrEnum):
    """Where a whole call went. Between two companies of one PBX it is internal: no trunk had part in it."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    INBOUND_OUTBOUND = "inbound-outbound"
    """It came in by a trunk and went out by one: forwarded or transferred outside, DISA."""


class EndReason(StrEnum):
    """How a call, or one leg of it, ended."""

    CALLER_DISCONNECTED = "CALLER_DISCONNECTED"
    CALLEE_DISCONNECTED = "CALLEE_DISCONNECTED"
    """The called party hung up, or refused: busy, declined."""
    BLIND_TRANSFER_COMPLETED = "BLIND_TRANSFER_COMPLETED"
    CONSULT_TRANSFER_COMPLETED = "CONSULT_TRANSFER_COMPLETED"
    REPLACED = "REPLACED"
    """Another telephone picked it up."""
    REFERRED = "REFERRED"
    """It was parked, or moved on by a program."""
    REDIRECTED = "REDIRECTED"
    """The telephone called sent it on (302)."""
    CANCELLED = "CANCELLED"
    """Nobody had answered when the caller, or the PBX, gave up."""


class RerouteReason(StrEnum):
    """Why a call did not stay where it was sent first."""

    TRANSFER = "TRANSFER"
    OVERFLOW = "OVERFLOW"
    """Nobody in the queue, or nobody called, answered: it went on to somewhere else."""


class LeaveReason(StrEnum):
    """Why a caller left a queue."""

    ANSWERED = "ANSWERED"
    ABANDONED = "ABANDONED"
    """The caller hung up."""
    TIMED_OUT = "TIMED_OUT"
    KEY_PRESSED = "KEY_PRESSED"
    QUEUE_EMPTY = "QUEUE_EMPTY"
    """No member was there any more who could have answered."""
    WITHDRAWN = "WITHDRAWN"
    """A program took the caller out."""


class LegRole(StrEnum):
    """What a leg is in its call."""

    ANSWERED = "answered"
    RANG = "rang"
    FAILED = "failed"
    """Busy, congested, no telephone there."""
    TRANSFERRED = "transferred"
    CONSULTATION = "consultation"
    """The transferrer asks whom it hands the call to."""
    FORWARDED = "forwarded"
    PARKED = "parked"
    FETCHED = "fetched"
    """From parking."""
    RETURNED = "returned"
    """From parking, since nobody fetched it."""
    PICKUP = "pickup"
    """The row of the code that picks up."""
    CONFERENCE = "conference"
    """One pair of a conference, or who was alone in it."""
    VOICEMAIL = "voicemail"
    QUEUE = "queue"
    """Waiting in a queue, nobody reached."""
    DIALPLAN = "dialplan"
    """Nobody was called: a menu, an announcement, a busy tone."""


class Confidence(StrEnum):
    """How much is known of a call."""

    EVENTS = "events"
    """Channel events tell of each of its channels from the first to the last."""
    RECORDS = "records"
    """As right as its CDRs allow."""


class SettledBy(StrEnum):
    """Why nothing more is expected of a call."""

    EVENTS = "events"
    """Its events say that it is over."""
    QUIET = "quiet"
    """Nothing came for the configured time."""


class CallLeg(NamedTuple):
    """One leg in its call."""

    acctid: AcctId
    role: LegRole
    end_reason: EndReason | None = None


class CallRecord(NamedTuple):
    """One call: the legs of a linkedid, or of several that a transfer joined."""

    pbx: str
    call: str
    """The first linkedid, or uniqueid where the PBX writes none; with the PBX it is the key."""
    linkedids: tuple[str, ...]
    """All of them: rows under another of these names are of this call."""
    legs: tuple[CallLeg, ...]
    """In the order of time."""
    caller: str | None
    """The extension, or the number outside, that the call began with; None where that is withheld."""
    caller_name: str | None
    dialled: str | None
    """What the caller dialled: from outside the public number."""
    requested: str | None
    """The party that was meant by it: an extension, or the number outside in full."""
    answered_by: str | None
    """The first party that the caller talked to: an extension, or the number outside in full."""
    direction: CallDirection | None
    started: datetime
    rang: datetime | None
    answered: datetime | None
    ended: datetime | None
    talk_seconds: int
    """While at least two parties were connected; every second counts once, whatever the legs."""
    end_reason: EndReason | None
    reroute_reason: RerouteReason | None
    status_code: int
    """The SIP answer that it failed with; 0 where it was answered, or where that is not known."""
    queue: str | None
    """The one in which somebody answered, else the last."""
    agent: str | None
    """The member of the queue who answered, by the name that the queue knows."""
    waited_seconds: int | None
    """In the queue, until somebody answered or the caller left; None where no queue event tells."""
    leave_reason: LeaveReason | None
    trunk_in: str | None
    trunk_out: str | None
    company: str | None
    target: str | None
    bill_to: str | None
    confidence: Confidence
    rules: str = "{}"
    """JSON object: what → by which evidence it was decided."""
