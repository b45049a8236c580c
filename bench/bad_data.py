"""What do bad elements cost? Ten thousand rows of which half are bad in each way, from their bytes to the commit.

The figures stand beside those of ten thousand good ones, measured in the same run, since machines differ.

    python bench/bad_data.py
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import trio
from uuid_utils.compat import uuid7

sys.path.insert(0, str(Path(__file__).parents[1]))

from etl_actors.actors.transformer import Transformer
from etl_actors.errors import PayloadRefused
from etl_actors.messages import UNOWNED, Batch, Checkpoint, Extracted
from etl_actors.settings import ConnectorSettings, ItemMapping
from etl_actors.settings.service import Database, Retention
from etl_actors.storage.opening import open_storage
from etl_actors.transforms.damage import mended_document
from etl_actors.transforms.documents import decode_document, encode_json
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable
from tests.postgres import reachable_folder

ROWS = 10_000
SETTINGS = ConnectorSettings(
    connector_id="one",
    url="https://example.org",
    source_id="bench",
    items=ItemMapping(coin_symbol="s", price="p", extra={"at": "epoch(t)", "name": "n"}),
)
GOOD = b'{"s":"S","p":"95000.50","t":1765209600,"n":"Bitcoin"}'
BAD = {
    "good": GOOD,
    "no number": b'{"s":"S","p":"n/a","t":1765209600,"n":"x"}',
    "a bad date": b'{"s":"S","p":"1","t":9e30,"n":"x"}',
    "NaN": b'{"s":"S","p":NaN,"t":1765209600,"n":"x"}',
    "a NUL": b'{"s":"S","p":"1","t":1765209600,"n":"\\u0000"}',
    "a lone surrogate": b'{"s":"S","p":"1","t":1765209600,"n":"\\ud800"}',
    "no UTF-8": b'{"s":"S","p":"1","t":1765209600,"n":"\xff"}',
    "a long number": b'{"s":"S","p":' + b"1" * 10_000 + b"}",
}


async def main() -> None:
    """Measure each."""
    folder = reachable_folder()
    database = Database(min_connections=1, max_connections=8)
    async with open_storage(database, Retention(), (SETTINGS,), data_dir=folder / "data") as storage:
        for name, bad in BAD.items():
            body = b"[" + b",".join(bad if n % 2 else GOOD for n in range(ROWS)) + b"]"
            mapping = Mapping(SETTINGS, SymbolTable())
            transformer = Transformer(lambda connector_id, mapping=mapping: mapping, encode_json)
            began = time.perf_counter()
            try:
                document, damage = decode_document(body, max_depth=200), None
            except PayloadRefused as refused:
                found = mended_document(body, max_depth=200)
                if found is None:
                    sys.exit(f"{name}: the whole answer was refused: {refused}")
                document, damage = found
            read = time.perf_counter()
            part = await transformer.transform(
                Extracted(
                    extraction_id=uuid7(), connector_id="one", epoch=UNOWNED, received_at=datetime.now(UTC),
                    response_time_ms=1, body=body, checkpoint=Checkpoint(), document=document, damage=damage,
                )
            )  # fmt: skip
            mapped = time.perf_counter()
            await storage.writer.write(Batch(batch_id=uuid7(), parts=(part,), left_by="end"))
            stored = time.perf_counter()
            print(
                f"{name:18} {len(body) / 1e6:5.1f} MB  {len(part.items):6} items {len(part.rejected):5} rejected"
                f"  read {read - began:.2f} s  mapped {mapped - read:.2f} s  stored {stored - mapped:.2f} s"
                f"  in all {stored - began:.2f} s"
            )


if __name__ == "__main__":
    trio.run(main)
