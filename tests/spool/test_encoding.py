"""A batch comes back exactly as it was, digit for digit, and what is no batch is told from one."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from etl_actors.messages import Batch, Checkpoint, Item, Rejected, Transformed
from etl_actors.spool.encoding import Undecodable, decoded, encoded
from tests.spool.batches import batch

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?", fullmatch=True)
TIME = st.datetimes(timezones=st.just(UTC))
CURSOR = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CHECKPOINT = st.builds(Checkpoint, fingerprint=st.binary(max_size=16), etag=st.none() | TEXT, cursor=CURSOR)
ITEM = st.builds(Item, coin_symbol=TEXT, price=st.none() | NUMBER, volume_24h=NUMBER, market_cap_rank=st.integers(0, 9))
REJECTED = st.builds(Rejected, connector_id=TEXT, received_at=TIME, raw=st.binary(max_size=40), reason=TEXT)
PART = st.builds(
    Transformed,
    extraction_id=st.uuids(),
    connector_id=TEXT,
    api_name=TEXT,
    exchange=TEXT,
    epoch=st.integers(0, 2**62),
    received_at=TIME,
    response_time_ms=st.integers(0, 10**6),
    body=st.binary(max_size=80),
    checkpoint=CHECKPOINT,
    has_items=st.booleans(),
    items=st.lists(ITEM, max_size=4).map(tuple),
    rejected=st.lists(REJECTED, max_size=3).map(tuple),
    store_response=st.booleans(),
    kind=st.sampled_from(["response", "frame", "message", "notice"]),
    message_type=st.none() | TEXT,
)
BATCH = st.builds(Batch, batch_id=st.uuids(), parts=st.lists(PART, max_size=4).map(tuple), left_by=TEXT)


@settings(deadline=None)
@given(BATCH)
def test_any_batch_comes_back_as_it_was(given_batch: Batch) -> None:
    """Whatever the messages can hold."""
    assert decoded(*encoded(given_batch)) == given_batch


def test_lists_longer_than_one_chunk_come_back_whole() -> None:
    """They are encoded in chunks, so that no single call holds the interpreter for long."""
    long = batch(items=2500)
    assert decoded(*encoded(long)) == long


@pytest.mark.parametrize(
    "cursor",
    [Decimal("0.10000000000000000000000000000000000001"), Decimal("1E+400"), 2**200, [{"deep": [Decimal("-0.0")]}]],
    ids=str,
)
def test_a_cursor_keeps_every_digit_and_its_type(cursor: Any) -> None:
    """Also where msgpack has no such number."""
    part = batch().parts[0]
    one = Batch(batch_id=UUID(int=1), parts=(with_cursor(part, cursor),), left_by="age")
    back = decoded(*encoded(one)).parts[0].checkpoint.cursor
    assert repr(back) == repr(cursor)


def test_what_an_older_service_spooled_is_still_read() -> None:
    """The bytes are those that version 1 wrote: who changes the form makes a new version and keeps this one."""
    assert decoded(bytes.fromhex(VERSION_1), 0) == OLD


def test_an_unknown_version_is_told_from_damage() -> None:
    """A newer service may read it one day."""
    with pytest.raises(Undecodable, match="version 9") as caught:
        decoded(b"\x09whatever", 8)
    assert caught.value.version == 9


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x01nonsense", b"\x01" + zlib.compress(b"\0\0\0\x05abc")], ids=repr)
def test_what_is_no_batch_is_undecodable(blob: bytes) -> None:
    """And raises nothing else."""
    with pytest.raises(Undecodable):
        decoded(blob, 8)


def with_cursor(part: Transformed, cursor: Any) -> Transformed:
    """The same with another cursor."""
    return replace(part, checkpoint=Checkpoint(cursor=cursor))


OLD = Batch(
    batch_id=UUID(int=7),
    left_by="size",
    parts=(
        Transformed(
            extraction_id=UUID(int=8),
            connector_id="one",
            api_name="One",
            exchange="binance",
            epoch=3,
            received_at=datetime(2025, 12, 8, 16, 0, 0, 123456, tzinfo=UTC),
            response_time_ms=12,
            body=b"[]",
            checkpoint=Checkpoint(fingerprint=b"f", cursor={"page": Decimal("1.50")}),
            has_items=True,
            items=(Item(coin_symbol="BTC", price="95000.5000"),),
            rejected=(
                Rejected(connector_id="one", received_at=datetime(2025, 12, 8, tzinfo=UTC), raw=b"\0", reason="r"),
            ),
        ),
    ),
)
VERSION_1 = (
    "0178018d51b94e033110f5424b4b494741030a88704854404345438790e5f54eb226597bb11d20144808515041fe0094dd908be313"
    "2c916f00f123b461b20987a0c185e77ca3376f08219be74d9f591e5211bc4de7466f76607f7da3d2f25d190a96fad5c488134863a6"
    "adf108f1b6ce93817f750fc756336e8592ff1db9d2e54a4ae0566984d49584268b05952c82fa360670cc43268b70e70bc924871462"
    "c5c3f18e060ee21002caec6b7f4acd10b1f44e9e3498584903d48a08686426125f05d5ded8ee5e9b87c04bb112d25e740a0227ea58"
    "63d0f30a09585674f765662c8d54200a0202d71a0069c84ce81abca28dd267b863115ebcf9b97cae85052a2c44e639cdcc7553c33e"
    "6e01c1f583c15d807e52794e4a4206581e32eb46600ccea1b61a831b82bd2f308a494e6b972d8e3c330d5c27734d35f255b9bebeb3"
    "d13da8280b74987029eec0a1bd9ac70321ad5cae1d315d024b398b5dfb50952b28c3c262e89eb2463ad432cb3c7e7752cd64c9a5d9"
    "f11c3258ab5dfcb9ca4fc15ffa626992d4353bea79a4a18119256f757a1482869b0fdadaee26"
)
