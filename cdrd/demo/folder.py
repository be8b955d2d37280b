"""The folder that a demo lives in: settings and companies for the user to edit, and what cdrd keeps."""

from __future__ import annotations

import fcntl
import glob
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from cdrd.errors import Conflict

DEMO = "demo"
"""The source and the PBX that the simulator plays."""
OWN = "own"
"""The source and the PBX of the user's own file."""

_SETTINGS = Template("""\
# Written once by `cdrd demo`, for $what. Change what you like: it is not written again.
# Every key that there is, with its default and unit, is explained in the sample settings, config/cdrd.yaml.

database:
  embedded: $postgresql

sources:
  - name: $name
    pbx: $name
    kind: $kind
    path: $file
    # The zone of the times in that file: Asterisk writes local time without saying where.
    zone: $zone

enrich:
  # After a change: cdrd directory check, then cdrd directory apply.
  companies: $companies

serve:
  host: 127.0.0.1
  port: $port

logs:
  level: warning
""")

_OWN_COMPANIES = """\
# Whose is what on your PBX. Until you say more, every station belongs to one company.
# The sample config/companies.yaml shows all that can be said. After a change:
# cdrd directory check, then cdrd directory apply.

companies:
  mine:
    name: My company
    default: true
"""

_NOTE = """\
DEMO: no call in this folder was ever made.

Master.csv is written by the simulator of `cdrd demo`, one record at a time, as a PBX of two companies
(acme and globex) would write it: Asterisk 22, cdr_csv with newcdrcolumns=yes, local time.
The records are those of real Asterisk calls between simulated phones, with new times and numbers;
the names in them are of nobody, the numbers are from ranges that belong to nobody or are made up.

state.json holds the calls in progress and the numbers that the next call takes.
Delete the folder above this one to begin anew.
"""


@dataclass(frozen=True, slots=True)
class FirstSettings:
    """What the settings say that are written when there are none yet."""

    name: str
    kind: str
    file: Path
    zone: str
    port: int


class DemoFolder:
    """Where everything of a demo is."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def settings(self) -> Path:
        """cdrd.yaml."""
        return self.path / "cdrd.yaml"

    @property
    def companies(self) -> Path:
        """companies.yaml."""
        return self.path / "companies.yaml"

    @property
    def token(self) -> Path:
        """The token of the reader that the printed curl line uses."""
        return self.path / "token"

    @property
    def master(self) -> Path:
        """The file that the simulator writes."""
        return self.path / DEMO / "Master.csv"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else uses the folder meanwhile; raises Conflict when somebody does."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / "lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"another `cdrd demo` runs in {self.path}",
                    hint="Stop it first (Ctrl-C in its terminal), or use another folder: --data FOLDER.",
                ) from error
            yield

    def write_settings(self, first: FirstSettings) -> None:
        """Settings and companies, where there are none; both are the user's from then on."""
        if not self.companies.exists():
            demo = files(__package__).joinpath("companies.yaml")
            text = demo.read_text(encoding="utf-8") if first.name == DEMO else _OWN_COMPANIES
            self.companies.write_text(text, encoding="utf-8")
        if not self.settings.exists():
            self.settings.write_text(self._first(first), encoding="utf-8")

    def _first(self, first: FirstSettings) -> str:
        return _SETTINGS.substitute(
            what="the demo PBX" if first.name == DEMO else "your own file",
            postgresql=_quoted(self.path / "postgresql"),
            name=first.name,
            kind=first.kind,
            file=json.dumps(followed_path(first.file), ensure_ascii=False),
            zone=first.zone,
            companies=_quoted(self.companies),
            port=first.port,
        )

    def write_note(self) -> None:
        """Says beside the simulator's file that it is one."""
        self.master.parent.mkdir(exist_ok=True)
        (self.master.parent / "DEMO").write_text(_NOTE, encoding="utf-8")

    def read_token(self) -> str | None:
        """The token of an earlier run."""
        return self.token.read_text(encoding="utf-8").strip() if self.token.exists() else None

    def write_token(self, token: str) -> None:
        """Readable by its owner alone."""
        self.token.touch(mode=0o600)
        self.token.chmod(0o600)
        self.token.write_text(token + "\n", encoding="utf-8")


def followed_path(file: Path) -> str:
    """A file as the path of a source, which may be a pattern."""
    return glob.escape(str(file.absolute()))


def _quoted(path: Path) -> str:
    """A path as YAML text: what JSON quotes, YAML reads."""
    return json.dumps(str(path), ensure_ascii=False)
