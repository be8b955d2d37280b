"""What comes beside CDRs: channel events, queue events, and what carriers bill, as types."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple


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
