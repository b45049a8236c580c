"""Signed requests: the published vectors come out exactly, and what was signed is what travels."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etl_actors.messages import Checkpoint
from etl_actors.settings import ConnectorSettings, HmacAuth, Secret
from etl_actors.settings.service import Upstream
from etl_actors.sources.rest import RestSource
from etl_actors.sources.signing import signature

from .providers import client, provider, response

# The keys of the provider's public documentation; they open nothing.
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
AT_MS = 1499827319559
ORDER = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 1, "price": "0.1"}
REST = "side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
ASCII = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"
WIDE = "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3"
WIDE_SYMBOL = "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96"

RECORDED = Path(os.environ.get("ETL_RECORDED_PAYLOADS", ""), "binance_hmac_test_vectors.json")


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        (f"symbol=LTCBTC&{REST}", "", ASCII),
        ("", f"symbol=LTCBTC&{REST}", ASCII),
        (
            "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            MIXED,
        ),
        (f"symbol={WIDE_SYMBOL}&{REST}", "", WIDE),
    ],
)
def test_published_vectors(query: str, body: str, expected: str) -> None:
    """Query, body, both joined by nothing, and a symbol that is percent-encoded before it is signed."""
    assert signature(SECRET, query.encode(), body.encode()) == expected


@pytest.mark.skipif(not RECORDED.is_file(), reason="ETL_RECORDED_PAYLOADS names no folder with the vectors")
def test_recorded_vectors() -> None:
    """The same from the recorded file, and whatever else it holds."""
    document = json.loads(RECORDED.read_bytes())
    assert len(document["vectors"]) >= 3
    for vector in document["vectors"]:
        signed = signature(document["secretKey"], vector["query"].encode(), vector["body"].encode())
        assert signed == vector["signature"]


async def sent(auth: HmacAuth, *, query: str = "", at_ms: int = AT_MS, **settings: Any) -> tuple[str, str]:
    """One poll: the query that arrived at a real socket, and the whole head."""
    heads: list[str] = []

    async def script(stream: Any, head: bytes) -> None:
        heads.append(head.decode("ascii"))
        await stream.send_all(response(b"{}"))

    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    async with provider(script) as url, client() as shared:
        connector = ConnectorSettings(connector_id="one", url=f"{url}/v3/order{query}", auth=auth, **settings)
        await RestSource(connector, shared, Upstream(), now=lambda: at).poll(Checkpoint())
    return heads[0].split(" ")[1].partition("?")[2], heads[0]


@pytest.mark.parametrize(
    ("symbol", "written", "expected"), [("LTCBTC", "LTCBTC", ASCII), ("１２３４５６", WIDE_SYMBOL, WIDE)]
)
async def test_published_vectors_travel(symbol: str, written: str, expected: str) -> None:
    """A connector with those parameters, at that time, sends exactly that request."""
    auth = HmacAuth(key=Secret(KEY), secret=Secret(SECRET), recv_window=5000)
    query, head = await sent(auth, params={"symbol": symbol, **ORDER})
    assert query == f"symbol={written}&{REST}&signature={expected}"
    assert f"X-MBX-APIKEY: {KEY}".lower() in head.lower()
    assert SECRET not in head


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("query", ["", "?z=1&a=b+c%2f&z=~'()*!", '?sp ace=ä|"<>'])
async def test_what_was_signed_is_what_arrives(algorithm: Any, query: str) -> None:
    """Whatever characters there are: the signature holds over the very bytes in front of it."""
    auth = HmacAuth(
        key=Secret("k"),
        secret=Secret("geheim-ü"),
        algorithm=algorithm,
        key_header="X-Key",
        timestamp_param="ts",
        signature_param="sig",
    )
    nasty = {"b": "x y+z/%41&=#;,:@!$'()*~[]{}|\\^`\"<>", "a": "币 安"}
    for params in ({}, nasty):
        arrived, head = await sent(auth, query=query, params=params)
        signed, _, given = arrived.rpartition("&sig=") if "&sig=" in arrived else arrived.rpartition("sig=")
        assert given == hmac.new("geheim-ü".encode(), signed.encode(), getattr(hashlib, algorithm)).hexdigest()
        assert signed.endswith(f"ts={AT_MS}")
        assert "x-key: k" in head.lower()
        assert "recvWindow" not in arrived


async def test_milliseconds_are_not_rounded_up() -> None:
    """A time in the provider's future may be refused."""
    query, _ = await sent(HmacAuth(key=Secret("k"), secret=Secret("s")), at_ms=AT_MS)
    assert query.startswith(f"timestamp={AT_MS}&signature=")
