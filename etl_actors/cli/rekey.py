"""``etl-actors rekey``: moves every stored secret to a new key, while services run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .serve import config_option, data_dir_option
from .visit import visit

if TYPE_CHECKING:
    from ..storage.pool import Pool

EXAMPLES = """
\b
Examples:
  etl-actors rekey                       the key is a file of the data folder: it gets a successor
  ENCRYPTION_KEY_NEW=… etl-actors rekey  from the file of the data folder to a key of yours
  ENCRYPTION_KEY=… ENCRYPTION_KEY_NEW=… etl-actors rekey
  ENCRYPTION_KEY_FILE=old ENCRYPTION_KEY_NEW_FILE=new etl-actors rekey --config /etc/etl-actors
  ENCRYPTION_KEY_NEW="base64:$(openssl rand -base64 32)"     makes a key of 32 random bytes
"""


@click.command(epilog=EXAMPLES)
@config_option
@data_dir_option
def rekey(config: Path, data_dir: Path) -> None:
    """Re-encrypt all stored secrets under a new key, all of them or none.

    A running service takes the new key over by itself and loses no poll. Give it the new ENCRYPTION_KEY before its next
    start; where the key is a file of the data folder there is nothing more to do.
    """

    async def move(pool: Pool) -> tuple[str, int]:
        from ..keeping import rekey as move_secrets  # --help need not wait for all of it

        return await move_secrets(pool, data_dir, os.environ)

    key_id, moved = visit(config, data_dir, move)
    whose = "1 connector" if moved == 1 else f"{moved} connectors"
    click.secho(f"moved to key {key_id}: the secrets of {whose}", fg="green")
    names = ("ENCRYPTION_KEY", "ENCRYPTION_KEY_NEW")
    if any(os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in names):
        click.echo("a running service goes on; set ENCRYPTION_KEY to the new key before its next start")
