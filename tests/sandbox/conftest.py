"""A small exchange that opens at a fixed time, and clients that tell who they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import trio

from etl_actors.sandbox import Sandbox, serve_sandbox

OPENED = 1_767_225_600.0  # midnight, so no minute or day ends in the middle of a test
BINANCE, COINGECKO, CRYPTOCOMPARE = (
    "https://api.binance.com",
    "https://api.coingecko.com",
    "https://min-api.cryptocompare.com",
)


@pytest.fixture
async def sandbox(nursery: trio.Nursery) -> Sandbox:
    started: Sandbox = await nursery.start(partial(serve_sandbox, pairs=110, seed=7, epoch=OPENED))
    return started


async def _client(sandbox: Sandbox, origin: str) -> AsyncIterator[httpx.AsyncClient]:
    agent = {"User-Agent": "etl-actors tests"}
    async with httpx.AsyncClient(base_url=sandbox.origins[origin], headers=agent) as client:
        yield client


@pytest.fixture
async def binance(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async for client in _client(sandbox, BINANCE):
        yield client


@pytest.fixture
async def coingecko(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async for client in _client(sandbox, COINGECKO):
        yield client


@pytest.fixture
async def cryptocompare(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async for client in _client(sandbox, CRYPTOCOMPARE):
        yield client
