"""Commands of cdrd in this process, which spares the start of another one."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result

from cdrd.cli import cli, main


class Told(NamedTuple):
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """What is written to it is read by somebody."""

    def isatty(self) -> bool:
        return True


def told(*words: str, answer: str = "", out: io.StringIO | None = None) -> Told:
    """What a command says to whom it is typed by; `answer` is what is typed when it asks."""
    out, err, code = out or io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["cdrd", *words])
        patch.setattr(sys, "stdin", io.StringIO(answer))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Told(code, out.getvalue(), err.getvalue())


class Commands:
    """The command line with settings of its own; faults are not caught by `main`."""

    def __init__(self, config: Path, *before: str) -> None:
        """`before` are the words that each of the commands begins with."""
        self._words = ("-c", str(config), *before)

    def __call__(self, *words: str, given: str | None = None) -> Result:
        wide = {"COLUMNS": "200"}
        return CliRunner().invoke(cli, [*self._words, *words], input=given, env=wide)

    def well(self, *words: str, given: str | None = None) -> str:
        """What a command prints that must end well."""
        result = self(*words, given=given)
        assert result.exit_code == 0, result.output + repr(result.exception)
        return result.stdout
