"""The command line: one file per noun, errors on one line with what to do, documented exit codes."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import click

from cdrd.cli.program import Program, config_option, default_config
from cdrd.errors import CdrdError, ExitCode
from cdrd.logs import escape_control

_ALONE = "forward"
"""A command that is imported without the others: it runs on machines that have no memory for them."""
_MODULES = (
    "access",
    "attribute",
    "daemon",
    "demo",
    "directory",
    "explain",
    "files",
    _ALONE,
    "imports",
    "replay",
    "setup",
    "status",
    "suspense",
)
"""Whose commands there are."""


class _Commands(click.Group):
    """Commands register themselves when their module is imported, which is when one of them is asked for."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        _import((_ALONE,) if cmd_name == _ALONE else _MODULES)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all."""
        _import(_MODULES)
        return super().list_commands(ctx)


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        import_module(f"{__name__}.{module}")


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@config_option(default_config, "$CDRD_CONFIG, ./cdrd.yaml or /etc/cdrd/cdrd.yaml")
@click.version_option(package_name="cdrd")
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Collect call records, attribute them, serve them.

    Exit codes: 0 done; 1 failed; 2 wrong usage; 69 the database does not answer or needs
    `cdrd migrate`; 78 wrong settings or companies (systemd does not restart on it).
    """
    context.obj = Program(config)


def main() -> None:
    """Runs the command line; an error is one line that says what to do about it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that has no → is shown \\u2192
            stream.reconfigure(errors="backslashreplace")
    try:
        cli(standalone_mode=False, prog_name="cdrd")
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        _fail(_usage(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("given up before it was done", ExitCode.FAILED)
    except BrokenPipeError:  # whoever reads has seen enough: `cdrd suspense list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.FAILED)
    except CdrdError as error:
        *lines, last = str(error).splitlines() or [""]
        told = f"{_ended(last)} {error.hint}" if error.hint else last
        _fail("\n".join([*lines, told]), error.exit_code)


def _usage(error: click.ClickException) -> str:
    """What is wrong with the command line, and who knows better."""
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{_ended(message)} See `{context.command_path} --help`."


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith("?") else f"{sentence}."


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        click.echo(f"cdrd: {escape_control(line)}", err=True)
    sys.exit(code)
