"""The command line: one file per noun, errors on one line with what to do, documented exit codes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cdrd.cli.program import Program, default_config
from cdrd.errors import CdrdError, ExitCode
from cdrd.logs import escape_control


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=default_config,
    help="The settings; by default $CDRD_CONFIG, ./cdrd.yaml or /etc/cdrd/cdrd.yaml.",
)
@click.version_option(package_name="cdrd")
@click.pass_context
def cli(context: click.Context, config: Path) -> None:
    """Collect call records, attribute them, serve them.

    Exit codes: 0 done; 1 failed; 2 wrong usage; 69 the database does not answer or needs
    `cdrd migrate`; 78 wrong settings or companies (systemd does not restart on it).
    """
    context.obj = Program(config)


def main() -> None:
    """Runs the command line; an error is one line and what to do about it."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(ExitCode.FAILED)
    except CdrdError as error:
        for line in str(error).splitlines():
            click.echo(f"cdrd: {escape_control(line)}", err=True)
        if error.hint:
            click.echo(f"cdrd: {error.hint}", err=True)
        sys.exit(error.exit_code)


# The commands register themselves with `cli`.
from cdrd.cli import access, daemon, demo, directory, explain, files, setup, status, suspense  # noqa: E402, F401 - they need `cli`, which is above
