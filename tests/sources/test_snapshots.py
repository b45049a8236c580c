"""Snapshots are asked for like every answer: the key has no meaning in the url, and trouble is one sentence."""

from __future__ import annotations

import pytest
import trio

from etl_actors.errors import PollFailed, TargetRefused
from etl_actors.settings import Snapshot
from etl_actors.settings.service import Upstream
from etl_actors.sources.exchange import open_client, open_guarded_client
from etl_actors.sources.snapshots import SnapshotSource

from .providers import provider, response

BODY = b'{"lastUpdateId":1,"bids":[],"asks":[]}'


async def test_the_key_is_put_into_the_url_and_means_nothing_there() -> None:
    """Whatever the provider called it; the weight in the headers is seen."""
    asked, observed = list[bytes](), list[str | None]()

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        asked.append(head.split(b" ")[1])
        await stream.send_all(response(BODY, "X-MBX-USED-WEIGHT-1M: 50"))

    async with provider(script) as url, open_client(Upstream(), "0") as client:
        snapshot = Snapshot(url=url + "/depth/{key}?symbol={key}&limit=1000")
        source = SnapshotSource(
            "one",
            snapshot,
            client,
            Upstream(),
            observe=lambda headers: observed.append(headers.get("x-mbx-used-weight-1m")),
        )
        assert await source.fetch("BTCUSDT") == BODY
        await source.fetch("a/../b?c=d&limit=1#e 币")
        with pytest.raises(PollFailed):
            await source.fetch("..")
    assert asked == [
        b"/depth/BTCUSDT?symbol=BTCUSDT&limit=1000",
        b"/depth/a%2F..%2Fb%3Fc%3Dd%26limit%3D1%23e%20%E5%B8%81?symbol=a%2F..%2Fb%3Fc%3Dd%26limit%3D1%23e%20%E5%B8%81&limit=1000",
    ]
    assert observed == ["50", "50"]


async def test_a_refusal_is_told_and_a_private_target_is_not_asked() -> None:
    """On behalf of a REST caller nothing private is reached."""

    async def script(stream: trio.SocketStream, head: bytes) -> None:
        await stream.send_all(response(b'{"code":-1121,"msg":"Invalid symbol."}', status="400 Bad Request"))

    async with provider(script) as url:
        snapshot = Snapshot(url=url + "/{key}")
        async with open_client(Upstream(), "0") as client:
            with pytest.raises(PollFailed, match=r"Invalid symbol") as refused:
                await SnapshotSource("one", snapshot, client, Upstream()).fetch("X")
        assert refused.value.status == 400
        async with open_guarded_client(Upstream(), "0") as guarded:
            with pytest.raises(TargetRefused):
                await SnapshotSource("one", snapshot, guarded, Upstream()).fetch("X")
