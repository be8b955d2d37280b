"""The command of a PBX whose collector is elsewhere: forward. It imports little: it runs on little."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from click.core import ParameterSource

from cdrd.cli import cli
from cdrd.cli.program import config_option
from cdrd.collect.siblings import matching
from cdrd.collect.uplink import Uplink
from cdrd.errors import CollectorUnavailable, ExitCode
from cdrd.forward_settings import Forward, ForwardedSettings, load_forward
from cdrd.forwarder import run_forwarder
from cdrd.logs import escape_control


def _default_config() -> Path:
    before = click.get_current_context().find_root()  # `cdrd -c FILE forward` means the same
    if before.get_parameter_source("config") is ParameterSource.COMMANDLINE:
        return Path(before.params["config"])
    here = Path("forward.yaml")
    return here if here.is_file() else Path("/etc/cdrd/forward.yaml")


@cli.command("forward")
@config_option(_default_config, "./forward.yaml or /etc/cdrd/forward.yaml")
@click.option("--check", is_flag=True, help="Say what is wrong, and forward nothing.")
def forward_command(config: Path, *, check: bool) -> None:
    """Ship files of this PBX to a cdrd elsewhere.

    Files are followed here as `cdrd run` follows them. What is stored, and up to where, only the
    other cdrd, the collector, knows: either side may be killed at any moment. SIGTERM or Ctrl-C
    ends it; SIGHUP reads the settings again.

    --check reads the settings (exit code 78 where they are wrong), looks for the files, and asks the
    collector whether it would take them (69 where it would not, or does not answer).
    """
    if not check:
        run_forwarder(config)
        return
    forward = load_forward(config)
    uplink = Uplink(forward)
    is_fine = True
    for source in forward.settings.sources:
        for line, is_well in _checked(source, uplink):
            click.echo(f"{source.name}: {escape_control(line)}", err=not is_well)
            is_fine = is_fine and is_well
    uplink.close()
    if not is_fine:
        raise SystemExit(ExitCode.UNAVAILABLE)
    click.echo(_summary(config, forward))


def _checked(source: ForwardedSettings, uplink: Uplink) -> Iterator[tuple[str, bool]]:
    """What there is to say of a source, and whether that is as it should be."""
    paths = [path for path in matching(source.path) if Path(path).exists()]
    for path in paths:
        if not os.access(path, os.R_OK):
            yield f"{path} cannot be read by this user", False
    yield f"{len(paths)} file(s) at {source.path}", True
    try:
        known = uplink.files(source.name)
    except CollectorUnavailable as error:
        yield f"{error}{f'. {error.hint}' if error.hint else ''}", False
    else:
        yield f"the collector knows {len(known)} file(s) of it", True


def _summary(config: Path, forward: Forward) -> str:
    return f"{config}: fine; {len(forward.settings.sources)} source(s)"
