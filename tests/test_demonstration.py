"""The demo asks the sandbox wherever the shipped config names a provider."""

from __future__ import annotations

from functools import partial

import trio

from etl_actors.demonstration import redirected, with_streams
from etl_actors.sandbox import Sandbox, serve_sandbox
from etl_actors.settings import read_configuration
from etl_actors.settings.files import Configuration
from etl_actors.shipped import shipped_config


def addresses(configuration: Configuration) -> set[str]:
    """Where it looks for data."""
    return {one.url for one in (*configuration.connectors, *configuration.symbols.values())}


async def test_every_shipped_address_is_one_of_the_sandbox(nursery: trio.Nursery) -> None:
    """Polled or streamed, with a path or without."""
    sandbox: Sandbox = await nursery.start(partial(serve_sandbox, pairs=10))
    shipped = read_configuration(shipped_config(), {})
    moved = redirected(shipped, sandbox.origins)
    assert {url.partition("://")[0] for url in addresses(shipped)} == {"https", "wss"}
    assert all(url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:")) for url in addresses(moved)), addresses(moved)
    assert len(addresses(moved)) == len(addresses(shipped))


def test_the_streams_can_be_switched_on() -> None:
    """All of them, and nothing else is changed."""
    shipped = read_configuration(shipped_config(), {})
    with_them = with_streams(shipped)
    assert {one.kind for one in shipped.connectors if not one.enabled} == {"websocket"}
    assert all(one.enabled for one in with_them.connectors)
    assert [one.connector_id for one in with_them.connectors] == [one.connector_id for one in shipped.connectors]
