"""Files of carriers, imported now: import."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from cdrd.beside import CarrierRow
from cdrd.cli import cli
from cdrd.cli.layout import aligned, moment, wrapped
from cdrd.cli.program import Program, run
from cdrd.cli.progress import bar
from cdrd.collect.carriers import Carrier, load_carrier
from cdrd.collect.compressed import is_compressed
from cdrd.collect.disk import look
from cdrd.collect.dry_run import DryRun, dry_run
from cdrd.collect.imports import Imported, Importer, claim_import, import_name
from cdrd.enrich.printable import printable
from cdrd.errors import Conflict, ExitCode, NotFound, RowRefused, SourceUnavailable
from cdrd.records import FileState, Reason, Rejected
from cdrd.settings_file import is_name
from cdrd.store.legs import create_partitions
from cdrd.store.sources import Claims

_NUMBERS = "duration_form, decimal_mark and cost_unit say how numbers are written"
_QUOTES = "quote says what texts are quoted with, none that nothing is; else ask the carrier"
_WHAT_TO_DO = {
    Reason.BAD_TIME: "date_format says how times are written",
    Reason.BAD_NUMBER: _NUMBERS,
    Reason.MISSING_FIELD: "columns says which column is what; header_lines, where the header is",
    Reason.TOO_FEW_COLUMNS: "delimiter is what columns end with; footer_lines, what is no row at the end",
    Reason.TOO_MANY_COLUMNS: "delimiter is what columns end with; a text with it in must be quoted",
    Reason.BAD_QUOTING: _QUOTES,
    Reason.TOO_LONG: "max_record_bytes is how long a row may be; is this a text file?",
    Reason.NUL_BYTES: "encoding is that of the file; UTF-16 cannot be read",
}
_HEADER = (
    "line",
    "time (UTC)",
    "caller",
    "called",
    "seconds",
    "cost",
    "charge band",
    "direction",
    "id",
)
_MOST_CURRENCIES = 10
_MOST_TEXT = 40
"""So much of a carrier's text is shown in a column."""


@cli.command("import")
@click.argument("files", metavar="FILE", nargs=-1, required=True)
@click.option("--carrier", "name", metavar="NAME", required=True, help="Whose files they are.")
@click.option("--dry-run", is_flag=True, help="Show what would be stored, and store nothing.")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many rows --dry-run shows.",
)
@click.pass_obj
def import_command(
    program: Program, files: tuple[str, ...], name: str, rows: int, *, dry_run: bool
) -> None:
    """Store files of a carrier. They are read as NAME.yaml in collect.carriers says.

    A file that was imported before, or begins like one that was, is held: `cdrd file release ID` and
    import it again, or `cdrd file discard ID`. An import that was cut off goes on where it was when it
    is started again. Rows that cannot be decoded go to suspense.

    Ends with 1 when a file was held or could not be read; --dry-run, when there is any problem.
    """
    if not is_name(name):
        raise click.UsageError(f"{name!r} is no name: small letters, digits and . _ - make one")
    carrier = load_carrier(name, program.settings.collect.carriers)
    if dry_run:
        failed = sum([_has_problems(path, carrier, rows) for path in files])
    else:
        failed = run(_import_all(program, carrier, files))
    if failed:
        raise SystemExit(ExitCode.FAILED)


async def _import_all(program: Program, carrier: Carrier, files: tuple[str, ...]) -> int:
    """How many were held or could not be read."""
    failed = 0
    async with program.database() as database:
        settings = program.settings.database
        with suppress(RowRefused):  # rows are where none should be, which the daemon alarms about
            await create_partitions(
                database, size=settings.partition_legs, ahead=settings.partitions_ahead_legs
            )
        claims = Claims(database, f"cdrd import on {socket.gethostname()}:{os.getpid()}")
        try:
            claim = await claim_import(database, claims, carrier.name)
            importer = Importer(database, claim, carrier, program.settings.collect.batch_bytes)
            for path in files:
                try:
                    with _progress(path) as progress:
                        done = await importer.read(path, progress)
                except (NotFound, SourceUnavailable, Conflict, OSError) as error:
                    failed += 1
                    click.echo(f"cdrd: {printable(str(error))}", err=True)
                    continue
                failed += done.state is FileState.HELD
                for line in _became(path, carrier.name, done):
                    click.echo(line)
        finally:
            await claims.close()
    return failed


def _became(path: str, carrier: str, done: Imported) -> Iterator[str]:
    yield f"{printable(path)}: file {done.file_id}: " + (
        f"held, because it is like file {done.like}; nothing of it is stored"
        if done.state is FileState.HELD
        else f"{done.stored} rows stored, {done.suspended} in suspense"
    )
    if done.state is FileState.HELD:
        yield f"    it is no duplicate: cdrd file release {done.file_id}, and import it again"
        yield f"    it is one:          cdrd file discard {done.file_id}"
    elif done.suspended:
        yield f"    see why: cdrd suspense list --source {import_name(carrier)}"


@contextmanager
def _progress(path: str) -> Iterator[Callable[[int], None]]:
    """A bar as long as the file, where that is known."""
    file = None if is_compressed(path) else look(path)
    name = printable(os.path.basename(path))  # noqa: PTH119 - a text, not a place
    with bar(name, whole=file.size if file is not None else None) as read:
        yield read.more


def _has_problems(path: str, carrier: Carrier, rows: int) -> bool:
    """Shows what would become of a file; whether there is any problem with it."""
    try:
        found = _shown(path, carrier, rows)
    except (NotFound, SourceUnavailable, OSError) as error:
        click.echo(f"cdrd: {printable(str(error))}", err=True)
        return True
    return found.problems > 0 or not found.rows


def _shown(path: str, carrier: Carrier, rows: int) -> DryRun:
    reasons: Counter[Reason] = Counter()

    def rejected(record: Rejected) -> None:
        reasons[record.reason] += 1
        click.echo(
            wrapped(
                printable(f"{path}, line {record.line}: {record.reason.value}: {record.detail}")
            )
        )

    with _progress(path) as progress:
        found = dry_run(path, carrier, shown=rows, rejected=rejected, progress=progress)
    for line in (*_table(found), *_advice(reasons, carrier.name), *_summary(path, found)):
        click.echo(line)
    return found


def _table(found: DryRun) -> Iterator[str]:
    if found.first_rows:
        yield from aligned([_HEADER, *map(_cells, found.first_rows)])


def _cells(row: CarrierRow) -> tuple[str, ...]:
    texts = (
        str(row.line),
        f"{row.calldate:%Y-%m-%d %H:%M:%S}",
        row.caller,
        row.called,
        str(row.duration),
        f"{row.cost:f} {row.currency}",
        row.charge_band,
        row.direction,
        row.carrier_call_id or "",
    )
    return tuple(_short(printable(text)) for text in texts)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"


def _advice(reasons: Counter[Reason], carrier: str) -> Iterator[str]:
    """What to do about the problems, once for each kind."""
    for reason, count in reasons.items():
        what = _WHAT_TO_DO.get(reason, "ask the carrier")
        yield f"{reason.value} ({count}): in {carrier}.yaml, {what}"


def _summary(path: str, found: DryRun) -> Iterator[str]:
    yield f"{printable(path)}: {found.rows} rows, {found.problems} problems; nothing is stored"
    if found.begin is not None and found.end is not None:
        costs = ", ".join(
            f"{cost:f} {_short(printable(currency))}"
            for currency, cost in sorted(found.costs.items())[:_MOST_CURRENCIES]
        )
        yield f"    from {moment(found.begin)} to {moment(found.end)}, cost {costs}"
