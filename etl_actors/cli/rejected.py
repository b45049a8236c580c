"""``etl-actors rejected``: what a running service could not map is looked at, mapped again, or dropped."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import RequestFailed
from .bar import count_of
from .export import options_named
from .rejected_asking import ROUTE, drop_backlog, drop_one, newest, replay_backlog, replay_one
from .rejected_choice import ask_whether, chosen_by_time, each_of, must_choose, wanted_by
from .rejected_table import described, lines
from .running_service import open_client, service_at

EXAMPLES = """
\b
Examples:
  etl-actors rejected list                         the newest, with their reasons
  etl-actors rejected show 17                      one of them, raw
  etl-actors rejected replay 17                    map it again, after its connector was mended
  etl-actors rejected replay --connector my_api    everything of a connector
  etl-actors rejected drop --connector my_api      none of it is wanted
"""
LIST_EXAMPLES = """
\b
Examples:
  etl-actors rejected list --connector binance_24hr --since 2025-12-08T00:00:00Z
  etl-actors rejected list --json --limit 1000 | jq -r .reason | sort | uniq -c
"""
SHOW_EXAMPLES = """
\b
Examples:
  etl-actors rejected show 17
  etl-actors rejected show 17 --raw > payload.json
"""
REPLAY_EXAMPLES = """
\b
Examples:
  etl-actors rejected replay 17 18
  etl-actors rejected replay --connector my_api --since 2025-12-08T00:00:00Z
  ETL_URL=https://etl.example.org etl-actors rejected replay --all --key-file etl.key
"""
DROP_EXAMPLES = """
\b
Examples:
  etl-actors rejected drop 17 18
  etl-actors rejected drop --connector my_api --until 2025-12-01T00:00:00Z
  etl-actors rejected drop --all --yes
"""

# The service answers a part of a backlog within half a minute, and says how to go on.
ANSWER_SECONDS = 120


@click.group(epilog=EXAMPLES)
def rejected() -> None:
    """Payloads that a running service could not map: they are kept raw, with the reason, and can be mapped again."""


@rejected.command(name="list", epilog=LIST_EXAMPLES)
@chosen_by_time
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many, the newest.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, for programs.")
@service_at
def list_(
    connector: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    as_json: bool,
    url: str | None,
    key_file: Path | None,
) -> None:
    """Show what is rejected, the newest first, and why."""
    import msgspec

    with options_named(), open_client(url, key_file, answer_seconds=ANSWER_SECONDS) as client:
        wanted = wanted_by(connector, since, until)
        found, total = newest(client, wanted, limit)
    if as_json:
        for one in found:
            click.echo(msgspec.json.encode(one))
        return
    for line in lines(found):
        click.echo(line)
    if total > len(found):
        click.echo(f"{len(found):,} of {total:,}; --limit shows more", err=True)


@rejected.command(epilog=SHOW_EXAMPLES)
@click.argument("rejected_id", metavar="ID", type=click.IntRange(min=0))
@click.option("--raw", is_flag=True, help="Its bytes alone, as they were received.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
@service_at
def show(rejected_id: int, raw: bool, as_json: bool, url: str | None, key_file: Path | None) -> None:
    """Show one: its reason, and what was received."""
    from ..client.answers import json_of, refusal

    place = f"{ROUTE}/{rejected_id}"
    with open_client(url, key_file, answer_seconds=ANSWER_SECONDS) as client:
        if raw:
            with client.stream("GET", place, headers={"Accept": "application/octet-stream"}) as response:
                if response.status_code != 200:
                    response.read()
                    raise refusal(response)
                for piece in response.iter_bytes():
                    sys.stdout.buffer.write(piece)
            return
        response = client.get(place, headers={"Accept": "application/json"})
        one = json_of(response)
    if as_json:
        click.echo(response.content)
        return
    for line in described(one):
        click.echo(line)


@rejected.command(epilog=REPLAY_EXAMPLES)
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(min=0))
@chosen_by_time
@click.option("--all", "every", is_flag=True, help="What is rejected of every connector.")
@service_at
def replay(
    ids: tuple[int, ...],
    connector: str | None,
    since: str | None,
    until: str | None,
    every: bool,
    url: str | None,
    key_file: Path | None,
) -> None:
    """Map again under the mapping that the connector has now, and store what comes of it, with its old time.

    Exit codes: 0 all of it is stored; 1 some stay rejected, and why, or no service answers; 2 bad usage.
    """
    must_choose(ids, connector, since, until, every)
    with options_named(), open_client(url, key_file, answer_seconds=ANSWER_SECONDS) as client:
        if ids:
            each_of(ids, "replayed", lambda one: replay_one(client, one))
            return
        wanted = wanted_by(connector, since, until) | ({"all": "true"} if every else {})
        replayed, items, failed, reason = replay_backlog(client, wanted)
    click.echo(f"{count_of(replayed, 'rejected payloads')} replayed: {count_of(items, 'items')} stored")
    if failed:
        raise RequestFailed(f"{count_of(failed, 'rejected payloads')} stay rejected, most of them since: {reason}")


@rejected.command(epilog=DROP_EXAMPLES)
@click.argument("ids", metavar="[ID]...", nargs=-1, type=click.IntRange(min=0))
@chosen_by_time
@click.option("--all", "every", is_flag=True, help="What is rejected of every connector.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@service_at
def drop(
    ids: tuple[int, ...],
    connector: str | None,
    since: str | None,
    until: str | None,
    every: bool,
    yes: bool,
    url: str | None,
    key_file: Path | None,
) -> None:
    """Delete what is rejected: it cannot be had back. Of more than single ones you are asked before."""
    must_choose(ids, connector, since, until, every)
    with options_named(), open_client(url, key_file, answer_seconds=ANSWER_SECONDS) as client:
        if ids:
            each_of(ids, "dropped", lambda one: drop_one(client, one))
            return
        wanted = wanted_by(connector, since, until)
        _, total = newest(client, wanted, 1)
        if not yes and total:
            ask_whether(total, connector)
        dropped = drop_backlog(client, wanted | ({"all": "true"} if every else {}))
    click.echo(f"{count_of(dropped, 'rejected payloads')} dropped")
