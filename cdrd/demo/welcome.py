"""What `cdrd demo` says when it runs: where, with which token, and what to try."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Welcome:
    """Everything that is told."""

    program: str
    """How the user called cdrd."""
    url: str
    token: str
    token_file: Path
    settings: Path
    companies: Path
    followed: str
    zone: str
    simulated: bool

    def text(self) -> str:
        """The lines, to be printed at once."""
        return "\n".join(["", *self._what(), "", *self._reading(), "", *self._next(), ""])

    def _what(self) -> Iterator[str]:
        if self.simulated:
            yield "  DEMO: a simulated PBX of two companies. None of its calls was ever made."
        else:
            yield "  cdrd follows your file. It only reads it."
        yield ""
        yield f"  file      {shown(self.followed)}"
        yield f"  its zone  {self.zone} (wrong? change it in {shown(self.settings)})"
        yield f"  address   {self.url}"
        yield f"  token     {self.token} (kept in {shown(self.token_file)})"

    def _reading(self) -> Iterator[str]:
        yield "  Read calls; paste this into a second terminal:"
        yield ""
        yield self.curl()

    def curl(self) -> str:
        """A line for a shell that reads the first legs."""
        return (
            f"curl -s -H 'Authorization: Bearer {self.token}' "
            f"'{self.url}/rest/call/read?maxRows=3' | python3 -m json.tool"
        )

    def _next(self) -> Iterator[str]:
        command = f"{shlex.quote(shown(self.program))} -c {shlex.quote(shown(self.settings))}"
        tries = {
            f"{command} explain 1": "whose is the first leg, and why",
            f"{command} status": "what was collected, and what waits",
            f"{command} directory show": f"who owns what, as {shown(self.companies)} says",
        }
        if self.simulated:
            tries[f"tail -f {shlex.quote(shown(self.followed))}"] = "what the PBX writes"
        width = max(map(len, tries))
        yield "  Then, for instance:"
        yield ""
        yield from (f"{line:{width}}  # {purpose}" for line, purpose in tries.items())
        yield ""
        yield "  Ctrl-C stops it; started again, it goes on where it stopped."


def shown(path: Path | str) -> str:
    """A path as short as it can be written from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
