"""``etl-actors keys``: makes, lists and revokes the keys of a service, whether it runs or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from ..errors import UsageError
from ..keys import LONGEST_DAYS, SCOPES, KeyRecord, Scope, name_mistake, new_key
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
"""


@click.group(epilog=EXAMPLES)
def keys() -> None:
    """The keys that callers of the service show. The first one is ETL_ADMIN_KEY, or admin.key in the data folder."""


@keys.command(epilog=CREATE_EXAMPLES)
@config_option
@data_dir_option
@click.option("--name", default="", help="What or who the key is for.")
@click.option("--scope", type=click.Choice(SCOPES), default="read", show_default=True, help="Each includes the former.")
@click.option(
    "--expires-days", type=click.FloatRange(0, LONGEST_DAYS, min_open=True), help="Let it end after so many days."
)
def create(config: Path, data_dir: Path, name: str, scope: Scope, expires_days: float | None) -> None:
    """Make a key and print it, this once: of a key only its SHA-256 is kept."""
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
    if not found:
        click.echo("no keys yet but the first one: ETL_ADMIN_KEY, or admin.key in the data folder")
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


@keys.command(epilog=REVOKE_EXAMPLES)
@config_option
@data_dir_option
@click.argument("key_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
def revoke(config: Path, data_dir: Path, key_id: int) -> None:
    """End a key. A running service refuses it within a second, and closes the sockets that were opened with it."""

    async def end(book: KeyBook) -> KeyRecord | None:
        return await book.revoke(key_id)

    record = _visit(config, data_dir, end)
    if record is None:
        raise UsageError(f"there is no key {key_id}; etl-actors keys list shows which there are")
    click.echo(f"revoked key {record.id}{f' ({record.name})' if record.name else ''}, which begins with {record.hint}")


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
