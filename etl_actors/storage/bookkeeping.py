"""What the last step of a commit is told: connector states, row counts, newest items and the entries of the log.

Pure: rows in, plain JSON values out, in the form that ``finish_batch`` of the migrations reads.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..messages import UNOWNED, Checkpoint, Item
from .rejected_removal import Gone
from .rows import Stored, rows_by_table

# An index takes no longer entries than 2,704 bytes, the connector's id among them.
_LONGEST_PAIR = 1_000


class _Pair(msgspec.Struct):
    pair: Any = ""


def states(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """The epoch that each connector of the batch was read under, where it has come to, and what was told of it last.

    Notices are not read but said: their epoch is judged, and the state stays where the last answer or frame left it.
    """
    owned = [one.part for one in stored if one.part.epoch != UNOWNED]
    epochs = {part.connector_id: part.epoch for part in owned}
    read = {part.connector_id: part.checkpoint for part in owned if part.kind != "notice"}
    told = {part.connector_id: part.body for part in owned if part.event_type == "connector_status"}
    return [
        {"connector_id": connector_id, "epoch": epoch}
        | (_state(read[connector_id]) if connector_id in read else {})
        | ({"told": msgspec.Raw(told[connector_id])} if connector_id in told else {})
        for connector_id, epoch in sorted(epochs.items())
    ]


def _state(checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "fingerprint": checkpoint.fingerprint.hex(),
        "etag": checkpoint.etag,
        "last_modified": checkpoint.last_modified,
        "body_hash": checkpoint.body_hash.hex() if checkpoint.body_hash else None,
        "cursor": checkpoint.cursor,
    }


def counts(stored: Sequence[Stored], start_of: Callable[[str, datetime], datetime], gone: Gone) -> list[dict[str, Any]]:
    """How many rows each connector adds to each partition; ``start_of(table, time)`` names the partition. The
    rejected payloads that are ``gone`` are taken off.
    """
    rows: Counter[tuple[str, datetime, str]] = Counter()
    for one in stored:
        part = one.part
        for table, many in rows_by_table(part).items():
            if many:
                rows[table, start_of(table, part.received_at), part.connector_id] += many
    for (start, connector_id), many in gone.items():
        rows["rejected", start, connector_id] -= many
    return [
        {"table_name": table, "partition_start": start.isoformat(), "connector_id": connector_id, "rows": many}
        for (table, start, connector_id), many in rows.items()
    ]


def latest(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """The newest item of each pair in the batch."""
    newest: dict[tuple[str, str], tuple[datetime, int]] = {}
    for one in stored:
        for row_id, item in zip(one.item_ids, one.part.items, strict=True):
            key, place = (one.part.connector_id, _pair(item)), (one.part.received_at, row_id)
            if key not in newest or newest[key] < place:
                newest[key] = place
    return [
        {"connector_id": connector_id, "pair": pair, "timestamp": at.isoformat(), "item_id": row_id}
        for (connector_id, pair), (at, row_id) in newest.items()
    ]


def _pair(item: Item) -> str:
    """What makes two items the same thing at two moments. The name is part of it: symbols are not unique."""
    if item.coin_symbol is None:
        # A mapping may call whatever it likes `pair`.
        said = msgspec.json.decode(item.extra, type=_Pair).pair if item.extra else ""
        pair = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    else:
        pair = "\t".join((item.coin_symbol, item.quote_symbol or "", item.coin_name or ""))
    encoded = pair.encode()
    if len(encoded) <= _LONGEST_PAIR:
        return pair
    return encoded[:100].decode(errors="ignore") + hashlib.sha256(encoded).hexdigest()


def entries(stored: Sequence[Stored]) -> list[dict[str, Any]]:
    """One entry of the log for every response that is stored."""
    return [_entry(one) for one in stored if one.part.store_response]


def _entry(one: Stored) -> dict[str, Any]:
    part = one.part
    return {
        "event_id": str(part.extraction_id),
        "type": part.event_type,
        "connector_id": part.connector_id,
        "timestamp": part.received_at.isoformat(),
        "response_id": one.row_id if part.kind == "response" else None,
        "frame_id": one.row_id if part.kind in {"frame", "message"} else None,
        "data": msgspec.Raw(part.body) if part.kind == "notice" else None,
        "first_item": one.item_ids[0] if one.item_ids else None,
        "last_item": one.item_ids[-1] if one.item_ids else None,
    }
