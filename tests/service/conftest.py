"""A sandbox and a folder for each test that runs the whole service."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest
import trio

from etl_actors.sandbox.exchange import Sandbox, serve_sandbox

from ..postgres import reachable_folder

FEW_PAIRS = 200


@pytest.fixture
async def sandbox(nursery: trio.Nursery) -> AsyncIterator[Sandbox]:
    """A sandbox with few pairs, on this test's own loop."""
    yield await nursery.start(partial(serve_sandbox, pairs=FEW_PAIRS))
    nursery.cancel_scope.cancel()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the embedded server's account can reach."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)
