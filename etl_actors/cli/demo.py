"""``etl-actors demo``: the service against the bundled exchange sandbox."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import click

from ..logs import configure_logs
from ..settings.files import read_configuration
from ..shipped import shipped_config
from .serve import service_options

EXAMPLES = """
\b
Examples:
  etl-actors demo
  etl-actors demo --streams
  etl-actors demo --port 0 --data-dir /tmp/etl-demo
  curl http://127.0.0.1:8000/api/data/items?limit=5
"""


@click.command(epilog=EXAMPLES)
@service_options
@click.option("--streams", is_flag=True, help="Follow the shipped WebSocket streams too, which are off by default.")
def demo(data_dir: Path, host: str | None, port: int | None, streams: bool) -> None:
    """Run the service against a bundled exchange, so that a machine with no internet sees real data flow.

    The exchange speaks the eight polled APIs and the streams of Binance, Coinbase and Kraken in their true shapes, with
    2,500 pairs and moving prices. Its data is kept apart from real data, in DATA-DIR/demo.
    """
    from ..demonstration import demonstrate, with_streams  # --help need not wait for all of it
    from ..service import run_until_stopped

    # The demo must not fill somebody's real database.
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    configuration = read_configuration(shipped_config(), environment)
    if streams:
        configuration = with_streams(configuration)
    configure_logs(debug=configuration.service.logging.debug)
    run_until_stopped(partial(demonstrate, configuration, data_dir=data_dir / "demo", host=host, port=port))
