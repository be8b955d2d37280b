"""A progress bar on the terminal of whoever waits; nothing in a file or a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID


class Bar:
    """How much of something is done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def more(self, count: int) -> None:
        """So much more is done."""
        self._progress.advance(self._task, count)

    def at(self, done: int, whole: int) -> None:
        """So much of so much is done."""
        self._progress.update(self._task, completed=done, total=whole)


@contextmanager
def bar(what: str, *, whole: int | None = None) -> Iterator[Bar]:
    """A bar, as long as the block lasts; of unknown length where `whole` is None."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bar(progress, progress.add_task(escape(what), total=whole))
