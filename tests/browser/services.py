"""Services that a page is open on: fed by a sandbox with few pairs, so that every second something is committed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..postgres import reachable_folder
from ..service.running import pointed_config
from ..web.origin_server import serving
from ..web.started import Started, started
from .chromium import FRIEND, STRANGER

PAIRS = 30
INTERVAL = 1.0
ADMIN_KEY = "canary-admin-key-of-the-browser"
KEYS = '[security]\nrequire_keys = "yes"\n'
FOREIGN_PAGE = b"<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>another site</title>"
FOREIGN_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(FOREIGN_PAGE)
) + FOREIGN_PAGE


class ForeignSite:
    """A page that is not the service's, under three origins; the third is a friend."""

    def __init__(self, port: int) -> None:
        self.neighbour = f"http://127.0.0.1:{port}"
        self.stranger = f"http://{STRANGER}:{port}"
        self.friend = f"http://{FRIEND}:{port}"


@contextmanager
def foreign_site() -> Iterator[ForeignSite]:
    """The site for the length of the block."""
    with serving(lambda asked: FOREIGN_ANSWER) as site:
        yield ForeignSite(int(site.url.rpartition(":")[2]))


@contextmanager
def sandbox_process() -> Iterator[dict[str, str]]:
    """The sandbox; yields where each provider's origin is served. It ends with its standard input."""
    command = [sys.executable, "-m", "etl_actors.sandbox", "--pairs", str(PAIRS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["origins"]


@contextmanager
def feed_folder(origins: dict[str, str]) -> Iterator[Path]:
    """A folder to start a service in, whose connectors poll these origins."""
    folder = reachable_folder()
    try:
        pointed_config(folder / "config", origins, interval=INTERVAL)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def feed(origins: dict[str, str], friend: str, *, security: str = "") -> Iterator[Started]:
    """A service that polls these origins and calls ``friend`` one."""
    service = f'[server]\ncors_origins = ["{friend}"]\n{security}'
    environment = {"ETL_ADMIN_KEY": ADMIN_KEY}
    with feed_folder(origins) as folder, started(folder, service=service, environment=environment) as running:
        yield running
        assert ADMIN_KEY not in running.log.read_text()
