"""The commands, one file each; thin. Every error a user can cause is one sentence on stderr, never a traceback."""

from __future__ import annotations

import sys

import click

from .. import __version__
from ..errors import EtlActorsError, UsageError
from .check import check
from .demo import demo
from .export import export
from .keys import keys
from .load import load
from .rejected import rejected
from .rekey import rekey
from .serve import serve

EXAMPLES = """
\b
Examples:
  etl-actors demo                       see it work, with a bundled exchange; no internet needed
  etl-actors serve                      run with ./config, or with the shipped defaults
  etl-actors serve --config DIR --port 0
  etl-actors check --config DIR         is this config sound, and what will it cost?
  etl-actors export items.csv           what a running service has stored
  etl-actors load prices.csv            a file into a running service
  etl-actors rejected list              what could not be mapped, and why
  etl-actors keys create --scope read   a key for somebody who may look
  etl-actors rekey                      every stored secret under a new key
"""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXAMPLES,
)
@click.version_option(__version__, prog_name="etl-actors")
def commands() -> None:
    """Live APIs into PostgreSQL and a live feed: one process, driven by config files."""


for command in (serve, demo, check, export, load, rejected, keys, rekey):
    commands.add_command(command)


def main() -> None:
    """The ``etl-actors`` command. Exit codes: 0 done, 1 failed, 2 bad usage or bad config."""
    try:
        commands(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except EtlActorsError as error:
        click.echo(f"etl-actors: {error}", err=True)
        sys.exit(2 if isinstance(error, UsageError) else 1)
