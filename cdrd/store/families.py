"""Where the records of each family are stored, and what they are recognised by."""

from __future__ import annotations

from typing import NamedTuple

from cdrd.beside import CARRIER_COLUMNS, CEL_COLUMNS, QUEUE_COLUMNS
from cdrd.records import COPY_COLUMNS, Family
from cdrd.store.events import EVENTS
from cdrd.store.legs import ENRICH


class Table(NamedTuple):
    """One table of records."""

    id_column: str
    row: tuple[str, ...]
    """The columns of a decoder's row, in order."""
    reserve: str
    """The statement that gives new ids, and with them the append lock."""
    stage: str | None
    """The stage that every new row waits for, where one does something with it."""
    times: tuple[str, ...]
    """The times that a record is recognised by, to the second; the first one says its day."""
    witnesses: tuple[str, ...]
    """The other columns that it is recognised by: those that every backend of a PBX writes alike.

    Measured on captures of Asterisk: of all legs in cdr_csv, cdr_custom (CSV and JSON), sqlite and the
    manager interface, and of all channel events in cel_custom and the manager interface. Left out is
    what not every backend is told to write (linkedid, sequence, userfield), what a long record loses at
    its end (cel_custom cuts at 1023 bytes), userdeftype, which the manager interface leaves empty, and
    the data of queue events, of which it says less than queue_log.
    """
    counted: str = "events"
    """As what its rows are counted: `legs`, `events` or `carrier_rows`."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of COPY: what only the store knows, and a decoder's row."""
        return (self.id_column, "source_id", "file_id", *self.row)


_LEGS = Table(
    "acctid",
    COPY_COLUMNS,
    "reserve_acctids",
    ENRICH,
    ("calldate", "answerdate", "enddate"),
    ("src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec", "disposition"),
    "legs",
)
_CHANNEL_EVENTS = Table(
    "event_id",
    CEL_COLUMNS,
    "reserve_event_ids",
    EVENTS,
    ("eventtime",),
    ("eventtype", "channame", "uniqueid", "exten", "context", "appname"),
)
_QUEUE_EVENTS = Table(
    "event_id",
    QUEUE_COLUMNS,
    "reserve_event_ids",
    EVENTS,
    ("eventtime",),
    ("callid", "queue", "agent", "event"),
)
_CARRIER_ROWS = Table(
    "carrier_row_id",
    CARRIER_COLUMNS,
    "reserve_carrier_row_ids",
    None,
    ("calldate",),
    (),  # a call that is billed twice is to be seen, so none is recognised
    "carrier_rows",
)

TABLES = {
    Family.LEG: _LEGS,
    Family.CEL_EVENT: _CHANNEL_EVENTS,
    Family.QUEUE_EVENT: _QUEUE_EVENTS,
    Family.CARRIER_ROW: _CARRIER_ROWS,
}
