"""A service from its first moment, before it is ready: on a port that is known beforehand, since it tells none yet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio

from .running import READY, RunningService

SOON = 30


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def beginning(
    folder: Path, *, service: str = "", host: str = "127.0.0.1", environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """``serve``, as soon as it answers at all; killed at the end if it still runs."""
    config = folder / "config"
    (config / "connectors").mkdir(parents=True, exist_ok=True)
    (config / "service.toml").write_text(service, encoding="utf-8")
    log, port = folder / "data.log", free_port()
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ETL_DATA_DIR"}}
    with log.open("ab") as errors:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "etl_actors", "serve", "--config", str(config), "--data-dir", str(folder / "data"),
             "--host", host, "--port", str(port)],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=inherited | dict(environment or {}),
            cwd=folder,
        )  # fmt: skip
    begun = RunningService(process, f"http://127.0.0.1:{port}", log)
    try:
        async with begun.client:
            await until_answered(begun)
            yield begun
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            assert process.stdout is not None
            await process.stdout.aclose()


async def until_answered(service: RunningService) -> None:
    """Return once its port is open."""
    with trio.fail_after(SOON):
        while True:
            try:
                await service.client.get("/healthz")
            except httpx.TransportError:
                assert service.process.poll() is None, await trio.Path(service.log).read_text()
                await trio.sleep(0.05)
            else:
                return


async def until_ready(service: RunningService) -> None:
    """Return once it has said that it is."""
    assert service.process.stdout is not None
    said = b""
    with trio.fail_after(SOON):
        while b"\n" not in said and (more := await service.process.stdout.receive_some()):
            said += more
    assert said.decode() == f"{READY}{service.address}\n"
