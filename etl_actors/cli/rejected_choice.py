"""Which rejected payloads a command means: single ones by their ids, or many by options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from ..errors import RequestFailed, UsageError


def chosen_by_time(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--connector``, ``--since`` and ``--until``."""
    for option in (
        click.option("--until", metavar="TIME", help="Received before this time."),
        click.option("--since", metavar="TIME", help="Received at this time or later, e.g. 2025-12-08T16:00:00Z."),
        click.option("--connector", metavar="ID", help="Only what is of this connector."),
    ):
        command = option(command)
    return command


def wanted_by(connector: str | None, since: str | None, until: str | None) -> dict[str, str]:
    """The options as the service takes them."""
    given = {"connector_id": connector, "since": since, "until": until}
    for name, value in given.items():
        if value == "":  # a variable that is not set, most likely; it must not mean everything
            raise UsageError(f"--{name.removesuffix('_id')} is empty; leave it out, or say which")
    return {name: value for name, value in given.items() if value is not None}


def must_choose(ids: tuple[int, ...], connector: str | None, since: str | None, until: str | None, every: bool) -> None:
    """Raise :class:`UsageError` unless it was said which: nobody means all of them by saying nothing."""
    if ids and (connector is not None or every or since is not None or until is not None):
        raise UsageError("name single ones by their ids, or many by options, not both")
    if not ids and (connector is None) is not every:
        raise UsageError("--all contradicts --connector" if every else "say which: by ids, with --connector, or --all")


def ask_whether(total: int, connector: str | None) -> None:
    """Return when whoever sits there says yes."""
    of = "every connector" if connector is None else connector
    if not sys.stdin.isatty():
        raise UsageError(f"{total:,} rejected payloads of {of} would be dropped; say --yes where nobody can be asked")
    click.confirm(f"Drop {total:,} rejected payloads of {of}?", abort=True, err=True)


def each_of(ids: tuple[int, ...], done: str, act: Callable[[int], str]) -> None:
    """Act on each; one that is refused does not keep the others back."""
    failed = 0
    for rejected_id in ids:
        try:
            click.echo(f"{rejected_id}: {act(rejected_id)}")
        except RequestFailed as refused:
            if len(ids) == 1 or refused.status is None:
                raise
            failed += 1
            click.echo(f"etl-actors: {rejected_id}: {refused}", err=True)
    if failed:
        raise RequestFailed(f"{failed} of {len(ids)} were not {done}")
