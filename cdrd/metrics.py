"""Every number that cdrd tells Prometheus, in one list: names are cdrd_<noun>_<unit>_total.

Each promise has a metric that is zero while it is kept.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cdrd.records import Family

REGISTRY = CollectorRegistry()

collected_bytes = Counter(
    "cdrd_collected_bytes_total", "Bytes of files that are stored", ["source"], registry=REGISTRY
)
records = Counter(
    "cdrd_records_total",
    "Records read: each is a leg, an event, a carrier's row, suspended or a duplicate",
    ["source"],
    registry=REGISTRY,
)
legs = Counter("cdrd_legs_total", "Legs stored", ["source"], registry=REGISTRY)
events = Counter(
    "cdrd_events_total", "Channel events and queue events stored", ["source"], registry=REGISTRY
)
carrier_rows = Counter(
    "cdrd_carrier_rows_total", "Rows of carriers' files stored", ["source"], registry=REGISTRY
)
stored = {
    Family.LEG: legs,
    Family.CEL_EVENT: events,
    Family.QUEUE_EVENT: events,
    Family.CARRIER_ROW: carrier_rows,
}
"""What counts the new ones of each family."""
duplicates = Counter(
    "cdrd_duplicate_records_total",
    "Records that were there already, from another source or an earlier delivery",
    ["source"],
    registry=REGISTRY,
)
suspended = Counter(
    "cdrd_suspended_records_total",
    "Records that became no leg",
    ["source", "reason"],
    registry=REGISTRY,
)
rotations = Counter(
    "cdrd_file_rotations_total",
    "Times a followed path became another file",
    ["source", "how"],
    registry=REGISTRY,
)
unread_bytes = Counter(
    "cdrd_unread_bytes_total",
    "Bytes known to have been written and gone before they could be read (promise 1: zero)",
    ["source"],
    registry=REGISTRY,
)
lag_bytes = Gauge(
    "cdrd_source_lag_bytes",
    "Bytes of a source's files not stored yet",
    ["source"],
    registry=REGISTRY,
)
lag_seconds = Gauge(
    "cdrd_source_lag_seconds",
    "For how long the oldest byte that is not stored yet has been there",
    ["source"],
    registry=REGISTRY,
)
blind_since = Gauge(
    "cdrd_source_blind_since_seconds",
    "When a source that says everything once was heard last, in seconds since 1970; 0 while it is heard",
    ["source"],
    registry=REGISTRY,
)
blind_seconds = Counter(
    "cdrd_source_blind_seconds_total",
    "For how long such a source was not heard, of the times that are over",
    ["source"],
    registry=REGISTRY,
)
source_up = Gauge(
    "cdrd_source_up", "1 while a source is collected by this daemon", ["source"], registry=REGISTRY
)
faults = Counter(
    "cdrd_stage_faults_total",
    "Faults at a stage's edge that were tried again",
    ["stage", "kind"],
    registry=REGISTRY,
)
attributions = Counter(
    "cdrd_attributions_total", "Legs attributed, by what decided", ["outcome"], registry=REGISTRY
)
waiting_legs = Gauge(
    "cdrd_waiting_legs", "Legs that wait for a stage", ["stage"], registry=REGISTRY
)
waiting_seconds = Gauge(
    "cdrd_waiting_seconds",
    "Age of the oldest leg that waits for a stage",
    ["stage"],
    registry=REGISTRY,
)
unsettled_legs = Gauge(
    "cdrd_unsettled_legs",
    "Legs that readers of settled calls are not given yet",
    registry=REGISTRY,
)
served_undecided = Counter(
    "cdrd_served_undecided_legs_total",
    "Legs served before they were decided, because of the deadline (promise 3: zero)",
    registry=REGISTRY,
)
outside_partitions = Gauge(
    "cdrd_legs_outside_partitions",
    "1 when a leg missed its partition and is in the default one (must be 0)",
    registry=REGISTRY,
)
requests = Counter(
    "cdrd_requests_total", "HTTP requests answered", ["dialect", "status"], registry=REGISTRY
)
request_seconds = Histogram(
    "cdrd_request_seconds", "Time to answer an HTTP request", ["dialect"], registry=REGISTRY
)


def forget(source: str) -> None:
    """A source was taken out of the settings; what was counted of it stays."""
    for gauge in (lag_bytes, lag_seconds, blind_since, source_up):
        gauge.remove(source)


def exposition() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(REGISTRY)
