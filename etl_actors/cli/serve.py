"""``etl-actors serve``: the service."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import platformdirs

from ..logs import configure_logs
from ..shipped import shipped_config

EXAMPLES = """
\b
Examples:
  etl-actors serve
  etl-actors serve --config /etc/etl-actors --data-dir /var/lib/etl-actors
  DATABASE_URL=postgresql://etl:secret@db/etl etl-actors serve --port 8000
  etl-actors serve --host 0.0.0.0       for other machines too; every caller must show a key
"""


data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ETL_DATA_DIR",
    default=lambda: platformdirs.user_data_path("etl-actors"),
    show_default=f"{platformdirs.user_data_path('etl-actors')}",
    help="Where data lives (also ETL_DATA_DIR).",
)


def service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that ``serve`` and ``demo`` share."""
    for option in (
        click.option("--port", type=click.IntRange(0, 65535), help="Where to listen; 0 takes a free port."),
        click.option("--host", help="Where to listen; beyond this machine (0.0.0.0) every caller must show a key."),
        data_dir_option,
    ):
        command = option(command)
    return command


def default_config() -> Path:
    """``./config`` when it exists, else the shipped defaults."""
    local = Path("config")
    return local if local.is_dir() else shipped_config()


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=default_config,
    show_default="./config, else the shipped defaults",
    help="The folder with service.toml and connectors/.",
)


@click.command(epilog=EXAMPLES)
@config_option
@service_options
def serve(config: Path, data_dir: Path, host: str | None, port: int | None) -> None:
    """Run the service: connectors, loader, REST, /ws and dashboard in one process."""
    from ..compiling import read_sound_configuration  # --help need not wait for all of it
    from ..service import run_until_stopped
    from ..service import serve as run

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until somebody listens to it, and after that
    configuration = read_sound_configuration(config, os.environ)
    configure_logs(debug=configuration.service.logging.debug)
    folder = None if config == shipped_config() else config
    run_until_stopped(partial(run, configuration, data_dir=data_dir, host=host, port=port, folder=folder))
