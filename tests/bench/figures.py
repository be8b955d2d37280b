"""What was measured, as a table that can be pasted into the README."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Figures:
    """Rows of the table, in the order they were measured."""

    rows: list[tuple[str, ...]] = field(default_factory=list)

    def add(
        self, what: str, *, ours: str, other: str = "", ratio: str = "", goal: str = ""
    ) -> None:
        """One row; it is printed at once, because a run takes minutes."""
        row = (what, ours, other, ratio, goal)
        self.rows.append(row)
        print("\n" + _line(row), end="", flush=True)

    def table(self) -> str:
        """All rows in Markdown."""
        head = ("what", "ours", "the other", "ratio", "goal")
        return "\n".join(_line(row) for row in (head, ("---",) * 5, *self.rows))


def _line(row: tuple[str, ...]) -> str:
    return "| " + " | ".join(row) + " |"


def per_second(count: float, seconds: float, unit: str) -> str:
    """`81,234 legs/s`."""
    return f"{count / seconds:,.0f} {unit}/s"


def cpu_per_leg(ours: float, servers: float, legs: int) -> str:
    """What each leg cost: these figures mean the same on a busy machine."""
    return f"{ours / legs * 1e6:.1f} + {servers / legs * 1e6:.1f} µs of CPU a leg, ours and the server's"


def ratio(ours: list[float], other: list[float]) -> str:
    """How many times the other's rate ours is, from the seconds that each needed for the same work."""
    return f"{median(other) / median(ours):.2f}"
