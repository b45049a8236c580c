"""``etl-actors load``: files into a running service."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from ..errors import RequestFailed, ServiceUnreachable, UsageError
from .bar import shown_bar
from .running_service import open_client, service_at

if TYPE_CHECKING:
    import httpx

EXAMPLES = """
\b
Examples:
  etl-actors load prices.csv
  etl-actors load january.ndjson february.ndjson
  ETL_URL=https://etl.example.org etl-actors load --key-file etl.key trades.json
"""

ROUTE = "/api/data/upload"
TYPES = {".csv": "text/csv", ".json": "application/json", ".ndjson": "application/x-ndjson"}
TYPES[".jsonl"] = TYPES[".ndjson"]


@click.command(epilog=EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@service_at
def load(files: tuple[Path, ...], url: str | None, key_file: Path | None) -> None:
    """Upload CSV, JSON or NDJSON files into a running service, and say how many rows each of them stored.

    Exit codes: 0 every file was stored, though bad rows may have been left out (they are told by line); 1 one was not
    stored (the others are), or no service answers; 2 a file cannot be read, and nothing was sent.
    """
    for file in files:
        must_be_readable(file)
    failed = 0
    for file in files:
        try:
            # The service answers when the rows are stored, however long that takes.
            with open_client(url, key_file, answer_seconds=None) as client:
                answer = upload(client, file)
        except ServiceUnreachable:
            raise  # the others would not arrive, either
        except (RequestFailed, OSError) as refused:  # OSError: the file went away, or its disk
            if len(files) == 1:
                raise RequestFailed(f"{file}: {refused}") from refused
            failed += 1
            click.echo(f"etl-actors: {file}: {refused}", err=True)
        else:
            for line in report(file, answer):
                click.echo(line)
    if failed:
        raise RequestFailed(f"{failed} of {len(files)} files were not stored")


def must_be_readable(file: Path) -> None:
    """Raise :class:`UsageError` for what cannot be uploaded."""
    try:
        if not file.exists():
            raise UsageError(f"{file}: there is no such file")
        if file.is_dir():
            raise UsageError(f"{file}: this is a folder; name the files in it, such as {file / '*.csv'}")
        if not file.is_file():
            raise UsageError(f"{file}: only a regular file can be uploaded")
        with file.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from None


def upload(client: httpx.Client, file: Path) -> dict[str, Any]:
    """What the service says when ``file`` is stored. It is read and sent a piece at a time."""
    from ..client.answers import foreign, json_of

    with (
        file.open("rb") as opened,
        shown_bar(str(file), unit="bytes", total=file.stat().st_size, shown=sys.stderr.isatty()) as advance,
    ):
        kind = TYPES.get(file.suffix.lower(), "application/octet-stream")
        # All that httpx asks of a file is there.
        part = (file.name, cast(BinaryIO, Watched(opened, advance)), kind)
        response = client.post(ROUTE, files={"file": part})
    answer = json_of(response)
    if not isinstance(answer, dict):
        raise foreign(response)
    return answer


class Watched:
    """A file that tells how much of it was read."""

    def __init__(self, file: BinaryIO, advance: Callable[[int], None]) -> None:
        self._file, self._advance = file, advance

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        piece = self._file.read(size)
        self._advance(len(piece))
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        """Where to go on."""
        return self._file.seek(offset, whence)

    def fileno(self) -> int:
        """By which httpx learns how long it is."""
        return self._file.fileno()


def report(file: Path, answer: dict[str, Any]) -> Iterator[str]:
    """One line about a stored file, and one for each of its bad rows that the service names."""
    from ..client.answers import printable

    rows = answer.get("row_count")
    stored = f"{rows:,} row{'' if rows == 1 else 's'} stored" if isinstance(rows, int) else "stored"
    as_file = f" as file {answer['id']}" if "id" in answer else ""
    bad = answer.get("bad_rows")
    count = bad.get("count", 0) if isinstance(bad, dict) else 0
    left_out = f"; {count:,} bad row{'' if count == 1 else 's'} left out" if count else ""
    yield f"{file}: {stored}{as_file}{left_out}"
    named = bad.get("first", []) if isinstance(bad, dict) else []
    for one in named:
        yield printable(f"  line {one.get('line', '?')}: {one.get('message', '')}")
    if named and count > len(named):
        yield f"  and {count - len(named):,} more"
