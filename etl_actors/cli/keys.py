"""``etl-actors keys``: makes, lists and revokes the keys of a service, whether it runs or not."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import UsageError
from ..keys import LONGEST_DAYS, LONGEST_NAME, SCOPES, KeyRecord, Scope, name_mistake, new_key
from ..wire import iso_time
from .serve import config_option, data_dir_option
from .visit import visit

if TYPE_CHECKING:
    from ..storage.keys import KeyBook
    from ..storage.pool import Pool

T = TypeVar("T")

EXAMPLES = """
\b
Examples:
  etl-actors keys create --name dashboard --scope read
  etl-actors keys list
  etl-actors keys revoke 3
"""
CREATE_EXAMPLES = """
\b
Examples:
  etl-actors keys create --name grafana
  etl-actors keys create --name loader --scope write --expires-days 90
  KEY=$(etl-actors keys create --scope admin)
  etl-actors keys create --data-dir DIR/demo     for a demo that runs with --data-dir DIR
"""
LIST_EXAMPLES = """
\b
Examples:
  etl-actors keys list
  etl-actors keys list --data-dir /var/lib/etl-actors/data
"""
REVOKE_EXAMPLES = """
\b
Examples:
  etl-actors keys revoke 3                       keys list tells the ids
  etl-actors keys revoke grafana
"""


@click.group(epilog=EXAMPLES)
def keys() -> None:
    """The keys that callers of the service show. The first one is ETL_ADMIN_KEY, or admin.key in the data folder."""


@keys.command(epilog=CREATE_EXAMPLES)
@config_option
@data_dir_option
@click.option("--name", help="What or who the key is for.  [default: who makes it, where]")
@click.option("--scope", type=click.Choice(SCOPES), default="read", show_default=True, help="Each includes the former.")
@click.option(
    "--expires-days", type=click.FloatRange(0, LONGEST_DAYS, min_open=True), help="Let it end after so many days."
)
def create(config: Path, data_dir: Path, name: str | None, scope: Scope, expires_days: float | None) -> None:
    """Make a key and print it, this once: of a key only its SHA-256 is kept."""
    name = _maker() if name is None else name
    mistake = name_mistake(name)
    if mistake is not None:
        raise UsageError(f"--name: {mistake}")
    expires_at = None if expires_days is None else datetime.now(UTC) + timedelta(days=expires_days)
    key = new_key()

    async def make(book: KeyBook) -> KeyRecord:
        return await book.create(key, name=name, scope=scope, expires_at=expires_at)

    record = _visit(config, data_dir, make, may_create=True)
    click.echo(key)
    ends = "" if record.expires_at is None else f", until {_time(record.expires_at)}"
    click.secho(f"key {record.id} may {record.scope}{ends}; it is not shown again", fg="green", err=True)


@keys.command(name="list", epilog=LIST_EXAMPLES)
@config_option
@data_dir_option
def list_(config: Path, data_dir: Path) -> None:
    """Show every key: what it may do, when it was used last, and how it begins."""

    async def read(book: KeyBook) -> list[KeyRecord]:
        return await book.every()

    found = _visit(config, data_dir, read)
    first = "ETL_ADMIN_KEY, or admin.key in the data folder"
    if not found:
        click.echo(f"no keys yet but the first one: {first}")
        return
    now = datetime.now(UTC)
    columns = ("id", "name", "scope", "begins", "state", "created", "expires", "last used")
    rows = [
        (
            str(one.id), one.name or "-", one.scope, one.hint, one.state(now), _time(one.created_at),
            _time(one.expires_at), _time(one.last_used_at),
        )
        for one in found
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    click.secho(_line(columns, widths), bold=True)
    for record, row in zip(found, rows, strict=True):
        click.secho(_line(row, widths), dim=not record.is_active(now))
    click.echo(f"and the first key, scope admin, which is in no list: {first}", err=True)


@keys.command(epilog=REVOKE_EXAMPLES)
@config_option
@data_dir_option
@click.argument("key", metavar="ID|NAME")
def revoke(config: Path, data_dir: Path, key: str) -> None:
    """End a key, named by its id or, where only one that is active has it, by its name.

    A running service refuses it within a second, and closes the sockets that were opened with it.
    """

    async def end(book: KeyBook) -> KeyRecord | None:
        return await book.revoke(_meant(key, await book.every()))

    record = _visit(config, data_dir, end)
    if record is None:  # forgotten between the two questions
        raise UsageError(f"there is no key {key} any more")
    click.echo(f"revoked key {record.id}{f' ({record.name})' if record.name else ''}, which begins with {record.hint}")


def _meant(key: str, known: list[KeyRecord]) -> int:
    """The id of the key that is meant by its id or its name."""
    if any(str(one.id) == key for one in known):
        return int(key)
    now = datetime.now(UTC)
    named = [one for one in known if one.name == key and one.is_active(now)]
    if len(named) > 1:
        ids = ", ".join(str(one.id) for one in named)
        raise UsageError(f"{len(named)} keys are named {key!r}: say which by its id ({ids})")
    if not named:
        raise UsageError(f"there is no key {key}; etl-actors keys list shows which there are")
    return named[0].id


def _maker() -> str:
    """``ada@workshop``: who may be asked about a key that nobody named."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        user = str(os.getuid())
    made_by = f"{user}@{socket.gethostname()}"[:LONGEST_NAME]
    return made_by if name_mistake(made_by) is None else ""


def _visit(config: Path, data_dir: Path, ask: Callable[[KeyBook], Awaitable[T]], *, may_create: bool = False) -> T:
    """What ``ask`` answers about the keys of the database that the configuration names."""

    async def look(pool: Pool) -> T:
        from ..storage.keys import KeyBook  # --help need not wait for all of it

        return await ask(KeyBook(pool))

    return visit(config, data_dir, look, may_create=may_create)


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else iso_time(moment.replace(microsecond=0))


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
