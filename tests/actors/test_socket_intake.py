"""Frames are read whole; what of one cannot be kept costs an element of it where that can be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl_actors.actors.socket_intake import FrameIntake
from etl_actors.damage import Damage
from etl_actors.errors import PayloadRefused
from etl_actors.settings import ConnectorSettings, ItemMapping, Sequence
from etl_actors.transforms.damage import mended_document
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable

ROWS = ItemMapping(coin_symbol="s", price="p")


async def read(body: bytes) -> tuple[Any, Damage | None]:
    try:
        return decode_document(body, max_depth=50), None
    except PayloadRefused:
        if (found := mended_document(body, max_depth=50)) is None:
            raise
        return found


def intake(**settings: Any) -> FrameIntake:
    """Of a stream of lists."""
    options = {"connector_id": "one", "url": "wss://example.org", "kind": "websocket", "items": ROWS} | settings
    connector = ConnectorSettings(**options)
    mapping = Mapping(connector, SymbolTable())
    return FrameIntake(connector, mapping, read=read, ledger=None, grace_seconds=0, now=lambda: datetime.now(UTC))


async def test_a_frame_with_one_bad_row_goes_on() -> None:
    """With what is damaged in it, for the transformer."""
    frame = await intake().read(b'[{"s":"A","p":1},{"s":"B","p":NaN}]')
    assert frame.refusal is None
    assert frame.damage is not None
    assert frame.damage.body == b'[{"s":"A","p":1},{"s":"B","p":null}]'


@pytest.mark.parametrize(
    ("body", "settings"),
    [
        (b'{"rate":NaN}', {}),
        (b'[{"s":"A","p":NaN}]', {"items": None}),
        (b'[{"s":"A","p":NaN}]', {"sequence": Sequence(first="n")}),
        (b"[NaN", {}),
    ],
)
async def test_a_frame_that_cannot_be_kept_without_it_is_refused(body: bytes, settings: dict[str, Any]) -> None:
    """A value in no row, a connector without items, a stream that is numbered, no JSON at all."""
    frame = await intake(**settings).read(body)
    assert (frame.damage, frame.document) == (None, body.decode())
    assert frame.refusal
