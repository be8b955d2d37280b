"""The journey as types: record → leg → attribution (→ charge), and what leaves the road: suspense.

A *record* is one CDR as the PBX wrote it, a *leg* is that CDR decoded and stored, a *call* is the
legs of one linkedid. Nothing here does anything; the rooms turn one of these into the next.
`Leg` and `Attribution` are named tuples, not dataclasses, because a backlog makes millions of them
and rows of the database become them without a copy by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, NewType

AcctId = NewType("AcctId", int)
"""The public id of a leg, given in commit order: who has seen N has seen every row up to N."""
Revision = NewType("Revision", int)
"""Grows with every change of anything served, in commit order."""
SourceId = NewType("SourceId", int)
FileId = NewType("FileId", int)
SuspenseId = NewType("SuspenseId", int)
CompanyId = NewType("CompanyId", str)
"""The key of a company in companies.yaml; it is also what the dialects show."""


class Family(StrEnum):
    """What the records of a source become; the values are the tables they are stored in."""

    LEG = "leg"
    CEL_EVENT = "cel_event"
    QUEUE_EVENT = "queue_event"
    CARRIER_ROW = "carrier_row"


class SourceKind(StrEnum):
    """How a source hands over its records."""

    ASTERISK_CSV = "asterisk-csv"
    ASTERISK_CUSTOM = "asterisk-custom"
    ASTERISK_JSON = "asterisk-json"
    ASTERISK_CEL = "asterisk-cel"
    ASTERISK_QUEUE_LOG = "asterisk-queue-log"
    ASTERISK_AMI = "asterisk-ami"
    FREESWITCH = "freeswitch"
    YEASTAR = "yeastar"
    GRANDSTREAM = "grandstream"
    THREECX = "3cx"
    CARRIER = "carrier"
    """Not a PBX: what a carrier billed us, call by call."""

    @property
    def families(self) -> frozenset[Family]:
        """What its records become; a file holds records of one family only."""
        return _FAMILIES.get(self, frozenset((Family.LEG,)))

    @property
    def has_channel_names(self) -> bool:
        """Whether a channel's name and times say which leg it is: Asterisk numbers its channels."""
        return self.value.startswith("asterisk-")


_FAMILIES = {
    SourceKind.ASTERISK_CEL: frozenset((Family.CEL_EVENT,)),
    SourceKind.ASTERISK_QUEUE_LOG: frozenset((Family.QUEUE_EVENT,)),
    SourceKind.ASTERISK_AMI: frozenset((Family.LEG, Family.CEL_EVENT, Family.QUEUE_EVENT)),
    SourceKind.CARRIER: frozenset((Family.CARRIER_ROW,)),
}


class Reason(StrEnum):
    """Why a record became no leg."""

    NUL_BYTES = "nul_bytes"
    TOO_FEW_COLUMNS = "too_few_columns"
    TOO_MANY_COLUMNS = "too_many_columns"
    BAD_QUOTING = "bad_quoting"
    UNCLOSED_QUOTE = "unclosed_quote"
    TOO_LONG = "too_long"
    BAD_TIME = "bad_time"
    BAD_NUMBER = "bad_number"
    BAD_DISPOSITION = "bad_disposition"
    BAD_AMAFLAGS = "bad_amaflags"
    BAD_JSON = "bad_json"
    BAD_XML = "bad_xml"
    MISSING_FIELD = "missing_field"
    AMBIGUOUS = "ambiguous"
    """It can be read in more than one way: somebody may have written a record inside a value."""
    TORN = "torn"
    """The file ended for good in the middle of the record."""
    REFUSED = "refused"
    """The database refused the values; the detail carries its words."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file, beginning at the start of a record."""

    data: bytes
    offset: int
    """Byte offset of `data` in the (uncompressed) file."""
    line: int
    """Number of the line that `data` begins with; the first line of a file is 1."""
    final: bool = False
    """Nothing will ever follow: what is left at the end is a whole record or a torn one."""


class Leg(NamedTuple):
    """One CDR, decoded. Times are aware and in UTC, seconds are whole, text is as the PBX wrote it."""

    calldate: datetime
    answerdate: datetime | None
    enddate: datetime | None
    clid: str
    src: str
    dst: str
    dcontext: str
    channel: str
    dstchannel: str
    lastapp: str
    lastdata: str
    duration: int
    billsec: int
    disposition: str
    """As Asterisk writes it, with the space: `NO ANSWER`."""
    amaflags: int
    """1 OMIT, 2 BILLING, 3 DOCUMENTATION; 0 is unknown."""
    accountcode: str
    uniqueid: str | None
    """None where the PBX does not write it (loguniqueid=no)."""
    linkedid: str | None
    sequence: int | None
    peeraccount: str | None
    userfield: str | None
    extra: dict[str, Any] | None = None
    """Columns and keys that cdr_custom was told to write beyond these, by name."""
    acctid: AcctId | None = None
    """None until stored."""
    pbx: str = ""
    """The PBX that the source belongs to; extension plans of two PBXs may overlap."""


class Decoded(NamedTuple):
    """What one record became, when it became a leg."""

    leg: Leg
    line: int
    offset: int
    original: bytes | None
    """The record's own bytes, kept only where the leg does not say all that they did."""


class Rejected(NamedTuple):
    """What one record became, when it became no leg: it goes to suspense."""

    raw: bytes
    line: int
    offset: int
    reason: Reason
    detail: str
    """One sentence for the operator: what was found, where, and what was expected."""


@dataclass(frozen=True, slots=True)
class DecodedChunk:
    """What a chunk became: rows for COPY, rejected records, and how far it was understood."""

    rows: Sequence[str]
    """One line of PostgreSQL's COPY text format a leg, columns in the order of COPY_COLUMNS,
    without the line's end and without the columns that only the store knows (acctid, source, file)."""
    rejected: Sequence[Rejected]
    consumed: int
    """Bytes of the chunk that are done with; the rest is the beginning of a record still being written."""
    lines: int
    """Lines within `consumed`."""


COPY_COLUMNS = (
    "line",
    "byte_offset",
    "calldate",
    "answerdate",
    "enddate",
    "clid",
    "src",
    "dst",
    "dcontext",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "accountcode",
    "uniqueid",
    "linkedid",
    "sequence",
    "peeraccount",
    "userfield",
    "extra",
    "original",
)
"""The columns of a row of `DecodedChunk.rows`, in order."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """Who a file is, by its content: the checksum of its first bytes and the bytes before a position.

    A path is not an identity (files are renamed), an inode is only a hint (it is used again).
    """

    head_length: int
    head_digest: bytes
    tail: bytes
    """The last bytes before the position, at most 64: proof that this is the file that was read."""


class FileState(StrEnum):
    """What is done with a file."""

    FOLLOWING = "following"
    """It is read on as it grows; of a drop folder's file: it is being read."""
    FINISHED = "finished"
    """A drop folder's file, read to its end."""
    HELD = "held"
    """A potential duplicate: nothing of it is read until somebody decides."""
    RELEASED = "released"
    """It was held, and is to be read after all."""
    DISCARDED = "discarded"
    """It was held, and will not be read."""


@dataclass(frozen=True, slots=True)
class FilePosition:
    """A file of a source, and how far it is stored. Legs and this commit together."""

    file_id: FileId | None
    """None for a file of which nothing is stored yet."""
    path: str
    physical: str
    """`device:inode` of where it was last read."""
    mark: FileMark
    offset: int
    """Bytes of the (uncompressed) file that are stored."""
    line: int
    """Number of the line that begins at `offset`."""
    seen_size: int = 0
    """Size of the file on disk when it was last read to its end, with `seen_mtime_ns`: a file that
    still has both is not opened again."""
    seen_mtime_ns: int = 0
    unread_bytes: int = 0
    """Bytes known to have existed after `offset` and gone before they could be read (copytruncate)."""
    state: FileState = FileState.FOLLOWING
    sha256: bytes | None = None
    """Of the (uncompressed) content of a file that was delivered whole."""
    like: FileId | None = None
    """The file that a held one is like."""
    header: bytes | None = None
    """Of a carrier's file, the lines that say what its columns are."""
    elsewhere: bool = False
    """It belongs to another source of the same carrier: here nothing of it is read."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to collect from a source. A batch with an old epoch is refused (fencing)."""

    source_id: SourceId
    epoch: int


class CelEvent(NamedTuple):
    """One channel event (CEL). Text is as the PBX wrote it; only the order within a channel is certain."""

    eventtime: datetime
    eventtype: str
    """CHAN_START, ANSWER, BLINDTRANSFER, LINKEDID_END …; for USER_DEFINED the name is in userdeftype."""
    uniqueid: str
    linkedid: str
    channame: str
    exten: str = ""
    context: str = ""
    appname: str = ""
    appdata: str = ""
    cid_name: str = ""
    cid_num: str = ""
    cid_ani: str = ""
    cid_rdnis: str = ""
    cid_dnid: str = ""
    amaflags: int = 0
    accountcode: str = ""
    peeraccount: str = ""
    userfield: str = ""
    peer: str = ""
    userdeftype: str = ""
    extra: dict[str, Any] | None = None
    """The event's own JSON: hangupcause, transferee_channel_name, bridge_id, …"""
    pbx: str = ""


class QueueEvent(NamedTuple):
    """One line of queue_log. Unknown events are kept as they are."""

    eventtime: datetime
    callid: str
    """uniqueid of the caller, or NONE, MANAGER, REALTIME, CLI."""
    queue: str
    agent: str
    event: str
    data: tuple[str, ...]
    pbx: str = ""


CEL_COLUMNS = (
    "line",
    "byte_offset",
    "eventtime",
    "eventtype",
    "uniqueid",
    "linkedid",
    "channame",
    "exten",
    "context",
    "appname",
    "appdata",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_rdnis",
    "cid_dnid",
    "amaflags",
    "accountcode",
    "peeraccount",
    "userfield",
    "peer",
    "userdeftype",
    "extra",
    "original",
)
"""The columns of a row of a CEL file's `DecodedChunk.rows`, in order; `extra` is jsonb or NULL."""

QUEUE_COLUMNS = (
    "line",
    "byte_offset",
    "eventtime",
    "callid",
    "queue",
    "agent",
    "event",
    "data",
    "original",
)
"""The columns of a row of a queue_log's `DecodedChunk.rows`, in order; `data` is text[], never NULL."""


CARRIER_COLUMNS = (
    "line",
    "byte_offset",
    "carrier",
    "carrier_call_id",
    "calldate",
    "caller",
    "called",
    "duration",
    "cost",
    "currency",
    "charge_band",
    "direction",
    "description",
    "extra",
    "original",
)
"""The columns of a row of a carrier's `DecodedChunk.rows`, in order; `original` is never NULL."""


class CarrierRow(NamedTuple):
    """One call as a carrier billed it to us: what it cost us, in the carrier's words."""

    line: int
    """Number of the line of the carrier's file that it begins with."""
    carrier_call_id: str | None
    calldate: datetime
    caller: str
    called: str
    duration: int
    """Whole seconds; a fraction is cut off and the carrier's text kept in `extra`."""
    cost: Decimal
    currency: str
    charge_band: str
    direction: str
    description: str
    extra: dict[str, Any] | None = None
    """The carrier's other columns, by their names."""


class Push(NamedTuple):
    """What somebody pushed to a source."""

    body: bytes
    content_type: str = ""
    key: str = ""
    """The sender's idempotency key, where it gave one."""


class Receipt(NamedTuple):
    """What became of a push; the same each time that it comes."""

    stored: int
    duplicates: int
    suspended: int

    @property
    def records(self) -> int:
        """How many there were in it."""
        return sum(self)


class Direction(StrEnum):
    """Where a leg went, as seen from the companies."""

    INTERNAL = "internal"
    OUTBOUND = "outbound"
    INBOUND = "inbound"
    ONNET = "onnet"


class UnattributedReason(StrEnum):
    """Why a leg has no company. Every leg has a company or one of these."""

    NO_MATCH = "no_match"
    """Nothing in the directory owns any part of the leg."""
    AMBIGUOUS = "ambiguous"
    """Two companies own it equally."""
    NO_DIRECTORY = "no_directory"
    """No directory was applied when the leg was decided; applying one decides it again."""
    FAULT = "fault"
    """A rule failed on this leg; the log has the words. `cdrd explain` tries again."""


class Attribution(NamedTuple):
    """Whose leg it is and who pays, with the rule that decided each property.

    The properties are those of `/rest/call/read`; None is "not known" and is not served.
    """

    acctid: AcctId
    company: str | None = None
    target: str | None = None
    bill_to: str | None = None
    direction: Direction | None = None
    src_ext: str | None = None
    dial_short: str | None = None
    dial_full: str | None = None
    trunk: str | None = None
    xfer: str | None = None
    is_ivr: bool = False
    is_park: bool = False
    is_pick: bool = False
    is_auth: bool = False
    auth: str | None = None
    is_bounce: bool = False
    call_rec: str | None = None
    reason: UnattributedReason | None = None
    rules: str = "{}"
    """JSON object: property → name of the rule that decided it."""


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
    trunk_in: str | None
    trunk_out: str | None
    company: str | None
    target: str | None
    bill_to: str | None
    confidence: Confidence
    settled_by: SettledBy | None = None
    """None while more may come."""
    rules: str = "{}"
    """JSON object: what → by which evidence it was decided."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is expected."""
        return self.settled_by is not None


class EntryKind(StrEnum):
    """What a company can own. Each directory entry is one of these with a pattern."""

    ACCOUNT_CODE = "account_code"
    CONTEXT = "context"
    ENDPOINT = "endpoint"
    EXTENSION = "extension"
    DID = "did"
    TRUNK = "trunk"
    OUTSIDE_PREFIX = "outside_prefix"
    FEATURE_CODE = "feature_code"
    UNOWNED = "unowned"
    """The stations that no company owns belong to this one; the pattern is `*`."""
    PBX = "pbx"
    """Not owned: what is true of a whole PBX (its dialling profile, its columns); the pattern is its name."""


class Entry(NamedTuple):
    """One fact of the directory: from then until then, on this PBX, this belongs to that company."""

    company: CompanyId | None
    """None for what the whole PBX shares: a carrier trunk, a feature code, an outside-line prefix."""
    pbx: str | None
    """None where it holds on every PBX."""
    kind: EntryKind
    pattern: str
    detail: dict[str, Any]
    """What else the kind needs, e.g. {"extension": "101"} of an endpoint or DID."""
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Company:
    """Whoever may be billed."""

    company: CompanyId
    name: str
    billing_group: str | None = None
    pays: dict[str, str] = field(default_factory=dict)
    """Overrides of who pays, by situation; the values are companies or roles."""
    detail: dict[str, Any] = field(default_factory=dict)
    """What else companies.yaml says of it that rules read, e.g. how local numbers expand."""


@dataclass(frozen=True, slots=True)
class DirectoryVersion:
    """The directory as it was applied at one time."""

    version: int
    companies: Sequence[Company]
    entries: Sequence[Entry]


class Permission(StrEnum):
    """What a principal may do."""

    SYSTEM_ADMIN = "system-admin"
    BILLING_CALL_SUMMARY = "billing call-summary"
    CALLS = "calls"
    REPORTS = "reports"
    RECORDINGS = "recordings"
    DATA_PROTECTION = "data protection"
    CDR_PUSH = "cdr push"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. Every read carries one."""

    principal_id: int
    login: str
    name: str
    permissions: frozenset[Permission]
    companies: tuple[str, ...] | None
    """The companies whose legs it may see; None is all of them."""
    sources: frozenset[str] = frozenset()
    """The sources that it may push to, where it has the permission `cdr push`."""
