"""``etl-actors export``: items of a running service into a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

import click

from ..errors import RequestFailed, UsageError
from .bar import count_of, shown_bar
from .part_file import written_whole
from .running_service import open_client, service_at

if TYPE_CHECKING:
    import httpx

EXAMPLES = """
\b
Examples:
  etl-actors export items.csv
  etl-actors export btc.parquet --symbol BTC --since 2025-12-01T00:00:00Z
  etl-actors export - --format ndjson --connector binance_24hr --limit 100 | jq .price
  ETL_URL=https://etl.example.org ETL_API_KEY_FILE=~/etl.key etl-actors export all.ndjson
"""

KINDS = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
ENDINGS = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet", ".pq": "parquet"}
STDOUT = Path("-")
# The service finds the first rows at once and sends them as it finds more; silence for so long means that it is stuck.
ANSWER_SECONDS = 120


@click.command(epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--connector", metavar="ID", help="Only items of this connector.")
@click.option("--symbol", metavar="S", help="Only this coin, e.g. BTC; case does not matter.")
@click.option("--exchange", metavar="E", help="Only this exchange, e.g. binance.")
@click.option("--since", metavar="TIME", help="Received at this time or later, e.g. 2025-12-08T16:00:00Z.")
@click.option("--until", metavar="TIME", help="Received before this time.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the newest.  [default: all]")
@click.option("--format", "kind", type=click.Choice(list(KINDS)), help="[default: what FILE ends with; csv for -]")
@service_at
def export(
    file: Path,
    connector: str | None,
    symbol: str | None,
    exchange: str | None,
    since: str | None,
    until: str | None,
    limit: int | None,
    kind: str | None,
    url: str | None,
    key_file: Path | None,
) -> None:
    """Download items of a running service into FILE, as CSV, NDJSON or Parquet; - is stdout.

    The newest come first. FILE is written when everything has arrived, or not at all.
    """
    kind = kind or kind_of(file)
    chosen = {"connector": connector, "symbol": symbol, "exchange": exchange, "since": since, "until": until}
    for name, value in chosen.items():
        if value == "":  # a variable that is not set, most likely; it must not mean everything
            raise UsageError(f"--{name} is empty; leave it out, or say which")
    if file == STDOUT and kind == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for terminals; name a file, or send it on with > or |")
    path = f"/api/data/items/{quote(connector, safe='')}" if connector else "/api/data/items"
    given = {"symbol": symbol, "exchange": exchange, "since": since, "until": until, "limit": limit}
    wanted = {name: value for name, value in given.items() if value is not None}
    quiet = not sys.stderr.isatty() or (file == STDOUT and sys.stdout.isatty())
    destination = nullcontext(sys.stdout.buffer) if file == STDOUT else written_whole(file)
    with options_named(), destination as target, open_client(url, key_file, answer_seconds=ANSWER_SECONDS) as client:
        size = download(client, path, wanted, kind, target, label=None if quiet else str(file))
    if file != STDOUT:
        click.echo(f"{file}: {count_of(size, 'bytes')} written", err=True)


def kind_of(file: Path) -> str:
    """The format that a file's ending asks for."""
    if file == STDOUT:
        return "csv"
    kind = ENDINGS.get(file.suffix.lower())
    if kind is None:
        raise UsageError(f"{file} ends with none of {', '.join(ENDINGS)}; choose with --format")
    return kind


@contextmanager
def options_named() -> Iterator[None]:
    """A value that the service does not take is a wrong option, and is told by the option's name."""
    try:
        yield
    except RequestFailed as refused:
        if refused.status not in {400, 422} or not refused.errors:
            raise
        told = (f"{one['path'].replace('query.', '--')}: {one['message']}" for one in refused.errors)
        raise UsageError("; ".join(told)) from None


def how_many(client: httpx.Client, path: str, wanted: dict[str, Any]) -> int | None:
    """How many rows will come; None when the service knows no more than that they are many."""
    from ..client.answers import json_of

    page = json_of(client.get(path, params={**wanted, "limit": 1}))
    if not isinstance(page, dict) or not isinstance(page.get("total"), int) or page.get("total_exact") is False:
        return None
    return int(min(page["total"], wanted.get("limit", page["total"])))


def download(
    client: httpx.Client, path: str, wanted: dict[str, Any], kind: str, target: BinaryIO, *, label: str | None
) -> int:
    """The answer's body into ``target``, a piece at a time, behind a bar with ``label`` if there is one; its bytes."""
    from ..client.answers import foreign, refusal

    # A bar counts rows by their line ends; those in a Parquet file cannot be seen from outside.
    unit = "bytes" if kind == "parquet" else "rows"
    total = how_many(client, path, wanted) if unit == "rows" and label is not None else None
    size, header = 0, int(kind == "csv")
    with (
        client.stream("GET", path, params=wanted, headers={"Accept": KINDS[kind]}) as response,
        shown_bar(label or "", unit=unit, total=total, shown=label is not None) as advance,
    ):
        if response.status_code != 200:
            response.read()
            raise refusal(response)
        if not response.headers.get("content-type", "").startswith(KINDS[kind]):
            raise foreign(response)
        for piece in response.iter_bytes():
            target.write(piece)
            size += len(piece)
            advance(len(piece) if unit == "bytes" else piece.count(b"\n") - header)
            header = 0
        target.flush()
    return size
