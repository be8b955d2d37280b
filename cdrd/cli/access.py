"""Commands that say who may ask: user, token. A token is shown once, a password never."""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import click

from cdrd.cli import cli
from cdrd.cli.known import company_must_be_known
from cdrd.cli.layout import aligned
from cdrd.cli.program import Program, run
from cdrd.enrich.printable import printable
from cdrd.enrich.problems import did_you_mean
from cdrd.logs import escape_control
from cdrd.owners import Permission
from cdrd.serve.passwords import digest, hash_password, new_token
from cdrd.store.database import Database
from cdrd.store.principals import (
    NewPrincipal,
    create_principal,
    create_token,
    principals,
    remove_principal,
    revoke_token,
    set_disabled,
    set_password,
    tokens,
)

_T = TypeVar("_T")
_SHORTEST = 8
"""Characters of a password."""
_LOGIN = re.compile(r"[^\s:\x00-\x1f\x7f]{1,64}")
"""HTTP Basic ends a login with a colon."""
_TO_COME = "See `cdrd directory show`, or add --allow-unknown-company where it comes later."
_PUSHED = {"push", "forward"}
"""The ways of sources that somebody lets himself in to."""
_DAYS = {"h": 1 / 24, "d": 1, "w": 7, "y": 365}


def _life(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    if value is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})([hdwy])", value)
    if match is None:
        raise click.BadParameter("write a number and a unit: 12h, 90d, 4w, 1y")
    return timedelta(days=int(match[1]) * _DAYS[match[2]])


def _in_database(program: Program, work: Callable[[Database], Awaitable[_T]]) -> _T:
    async def opened() -> _T:
        async with program.database() as database:
            return await work(database)

    return run(opened())


def _password(*, from_stdin: bool) -> str:
    """From the first line of stdin, or asked for twice on the terminal; never from the command line."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < _SHORTEST:
        raise click.UsageError(f"a password has at least {_SHORTEST} characters")
    return str(password)


@cli.group("user")
def user_group() -> None:
    """Who may ask over HTTP, what for, and whose calls they see."""


@user_group.command("add")
@click.argument("login")
@click.option("--name", help="As people call them.  [default: the login]")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="May be given several times.  [default: billing call-summary; with --push, cdr push]",
)
@click.option(
    "--push",
    "sources",
    multiple=True,
    metavar="SOURCE",
    help="May push records to this source; may be given several times.",
)
@click.option(
    "--company",
    "companies",
    multiple=True,
    help="See only this company's calls; may be given several times. Default: everybody's.",
)
@click.option(
    "--allow-unknown-company",
    is_flag=True,
    help="Also companies that no directory ever had: they come later.",
)
@click.option("--password-stdin", is_flag=True, help="The password is the first line of stdin.")
@click.option("--no-password", is_flag=True, help="Only tokens let this user in.")
@click.pass_obj
def add_user(program: Program, /, login: str, **options: Any) -> None:
    """Make a user; asks for the password unless told where it is."""
    if not _LOGIN.fullmatch(login):
        raise click.UsageError("a login has 1 to 64 characters, no spaces and no colon")
    if options["companies"] and not options["allow_unknown_company"]:
        _in_database(program, partial(_must_be_known, companies=options["companies"]))
    password_hash = None
    if not options["no_password"]:
        password_hash = hash_password(_password(from_stdin=options["password_stdin"]))
    new = NewPrincipal(
        login=login,
        name=options["name"] or login,
        password_hash=password_hash,
        permissions=_permissions(options["permissions"], pushes=bool(options["sources"])),
        companies=options["companies"] or None,
        sources=options["sources"],
    )
    _in_database(program, lambda database: create_principal(database, new))
    click.echo(f"user {login} added", err=True)
    _tell_of_unknown(options["sources"], program)


def _tell_of_unknown(sources: Sequence[str], program: Program) -> None:
    """A source may be made later, or be another machine's; a slip of the pen would only ever be a 404."""
    pushed = {source.name for source in program.settings.sources if source.way in _PUSHED}
    for name in sources:
        if name not in pushed:
            said = f"{program.config} has no source {name} that takes pushes"
            click.echo(printable(said + did_you_mean(name, pushed)), err=True)


async def _must_be_known(database: Database, companies: Sequence[str]) -> None:
    """Who is limited to a company that there is not would read nothing, and nobody would be told."""
    for company in companies:
        await company_must_be_known(database, company, hint=_TO_COME)


def _permissions(given: Sequence[str], *, pushes: bool) -> list[Permission]:
    """Who pushes needs no more than that; and nobody may push to every source."""
    permissions = [Permission(word) for word in given]
    if Permission.CDR_PUSH in permissions and not pushes:
        raise click.UsageError("name the sources that the user may push to: --push SOURCE")
    if pushes and Permission.CDR_PUSH not in permissions:
        return [*permissions, Permission.CDR_PUSH]
    return permissions or [Permission.BILLING_CALL_SUMMARY]


@user_group.command("list")
@click.pass_obj
def list_users(program: Program) -> None:
    """Show every user."""
    rows: list[tuple[str, ...]] = [
        ("login", "name", "permissions", "companies", "pushes to", "password", "tokens", "state")
    ]
    for row in _in_database(program, principals):
        companies = "all" if row["companies"] is None else ", ".join(row["companies"])
        permissions, sources = ", ".join(row["permissions"]), ", ".join(row["sources"])
        words = (row["login"], row["name"], permissions, companies, sources)
        password = "yes" if row["has_password"] else "no"
        state = "disabled" if row["disabled"] else ""
        rows.append((*map(escape_control, words), password, str(row["tokens"]), state))
    _print(rows)


@user_group.command("passwd")
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="The password is the first line of stdin.")
@click.pass_obj
def change_password(program: Program, login: str, *, password_stdin: bool) -> None:
    """Give a user another password; ends their sessions."""
    password_hash = hash_password(_password(from_stdin=password_stdin))
    _in_database(program, lambda database: set_password(database, login, password_hash))
    click.echo(f"password of {login} changed", err=True)


@user_group.command("disable")
@click.argument("login")
@click.option("--undo", is_flag=True, help="Let the user in again.")
@click.pass_obj
def disable_user(program: Program, login: str, *, undo: bool) -> None:
    """Shut a user out at once. Tokens and sessions are kept for later."""
    _in_database(program, lambda database: set_disabled(database, login, disabled=not undo))
    click.echo(f"user {login} {'enabled' if undo else 'disabled'}", err=True)


@user_group.command("remove")
@click.argument("login")
@click.pass_obj
def remove_user(program: Program, login: str) -> None:
    """Remove a user with all tokens and sessions."""
    _in_database(program, lambda database: remove_principal(database, login))
    click.echo(f"user {login} removed", err=True)


@cli.group("token")
def token_group() -> None:
    """Bearer tokens: what a program shows instead of a password."""


@token_group.command("create")
@click.argument("login")
@click.option("--label", default="", help="What it is for.")
@click.option(
    "--expires", callback=_life, help="How long it is valid: 12h, 90d, 1y.  [default: for ever]"
)
@click.option("--quiet", is_flag=True, help="Print the token and nothing else.")
@click.pass_obj
def create_token_command(
    program: Program, login: str, label: str, expires: timedelta | None, *, quiet: bool
) -> None:
    """Make a token for a user and print it; it cannot be shown again."""
    token = new_token()
    number = _in_database(
        program,
        lambda database: create_token(
            database, login, digest=digest(token), label=label, life=expires
        ),
    )
    if not quiet:
        click.echo(f"token {number} of {login}; keep it, it is not shown again:", err=True)
    click.echo(token)


# the same verb as `user add`
_add_token = copy.copy(create_token_command)
_add_token.hidden = True
token_group.add_command(_add_token, "add")


@token_group.command("list")
@click.argument("login", required=False)
@click.pass_obj
def list_tokens(program: Program, login: str | None) -> None:
    """Show tokens and sessions. Of everybody or of one user, without the secrets."""
    rows = [("number", "login", "kind", "label", "created", "expires")]

    async def work(database: Database) -> Sequence[Any]:
        return await tokens(database, login)

    for row in _in_database(program, work):
        expires = "never" if row["expires_at"] is None else _moment(row["expires_at"])
        expires += " (over)" if row["expired"] else ""
        login, label = escape_control(row["login"]), escape_control(row["label"])
        created = _moment(row["created_at"])
        rows.append((str(row["token_id"]), login, row["kind"], label, created, expires))
    _print(rows)


@token_group.command("revoke")
@click.argument("number", type=click.IntRange(1, 2**31 - 1))
@click.pass_obj
def revoke_token_command(program: Program, number: int) -> None:
    """End a token or a session at once. `cdrd token list` shows its number."""
    _in_database(program, lambda database: revoke_token(database, number))
    click.echo(f"token {number} revoked", err=True)


def _print(rows: Sequence[Sequence[str]]) -> None:
    for line in aligned(rows):
        click.echo(line)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
