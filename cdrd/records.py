"""The journey as types: record → leg → attribution (→ charge), and what leaves the road: suspense.

A *record* is one CDR as the PBX wrote it, a *leg* is that CDR decoded and stored, a *call* is the
legs of one linkedid (`cdrd.calls`; what comes beside CDRs is in `cdrd.beside`, whose it may be in
`cdrd.owners`). Nothing here does anything; the rooms turn one of these into the next.
`Leg` and `Attribution` are named tuples, not dataclasses, because a backlog makes millions of them
and rows of the database become them without a copy by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
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
