"""The sandbox runs as a process of its own and never outlives whoever started it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import partial

import httpx
import pytest
import trio

COMMAND = [sys.executable, "-m", "etl_actors.sandbox"]


async def _start(nursery: trio.Nursery) -> tuple[trio.Process, dict[str, str]]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    run = partial(trio.run_process, [*COMMAND, "--pairs", "30", "--seed", "2"], check=False, **pipes)
    process: trio.Process = await nursery.start(run)
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n"):
        line += await process.stdout.receive_some()
    return process, json.loads(line)["origins"]


async def test_it_tells_its_origins_and_ends_with_its_stdin(nursery: trio.Nursery) -> None:
    """One line of JSON when ready; the end of standard input is the end of the process."""
    process, origins = await _start(nursery)
    assert {origin.partition("://")[0]: local.partition("://")[0] for origin, local in origins.items()} == {
        "https": "http",
        "wss": "ws",
    }
    async with httpx.AsyncClient() as client:
        rows = (await client.get(origins["https://api.binance.com"] + "/api/v3/ticker/price")).json()
    assert len(rows) == 30
    assert process.stdin is not None
    await process.stdin.aclose()
    with trio.fail_after(5):
        assert await process.wait() == 0


async def test_it_ends_on_sigterm(nursery: trio.Nursery) -> None:
    """A polite signal ends it with exit code 0."""
    process, _ = await _start(nursery)
    process.send_signal(signal.SIGTERM)
    with trio.fail_after(5):
        assert await process.wait() == 0


@pytest.mark.parametrize("arguments", [["--pairs", "many"], ["--ports", "1,2"], ["--colour", "1"], ["--seed"]])
async def test_wrong_options_are_told_in_one_sentence(arguments: list[str]) -> None:
    """Exit code 2 and no traceback."""
    done = await trio.run_process([*COMMAND, *arguments], capture_stderr=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"usage:" in done.stderr
