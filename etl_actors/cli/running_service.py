"""What the commands that talk to a running service have in common: their options, and the client they ask with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10
SEND_SECONDS = 60


def service_at(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--url`` and ``--key-file``. A key is no option: everybody on a machine can list its processes."""
    for option in (
        click.option(
            "--key-file",
            type=click.Path(dir_okay=False, path_type=Path),
            help="The file that holds the API key; else ETL_API_KEY or ETL_API_KEY_FILE.",
        ),
        click.option(
            "--url", metavar="URL", help="Where the service is; else ETL_URL.  [default: http://127.0.0.1:8000]"
        ),
    ):
        command = option(command)
    return command


@contextmanager
def open_client(url: str | None, key_file: Path | None, *, answer_seconds: float | None) -> Iterator[httpx.Client]:
    """A client of the running service; its errors leave as :class:`~etl_actors.errors.RequestFailed`.

    ``answer_seconds``: for how long the service may be silent; None is for as long as it takes.
    """
    import httpx  # --help need not wait for it

    from ..client.address import find_service
    from ..client.answers import asking

    service = find_service(os.environ, url=url, key_file=key_file)
    timeout = httpx.Timeout(SEND_SECONDS, connect=CONNECT_SECONDS, read=answer_seconds)
    with asking(service), httpx.Client(**service.httpx_options(), timeout=timeout) as client:
        yield client
