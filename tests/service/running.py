"""The whole service as a process of its own, on a free port, with the shipped connectors pointed at a sandbox."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio

from etl_actors.shipped import shipped_config

READY = "etl-actors is ready: "
ITEM_YIELDING = frozenset(
    {
        "binance_orderbook",
        "binance_prices",
        "binance_24hr",
        "coingecko_top",
        "coingecko_trending",
        "cryptocompare_multi",
        "cryptocompare_top",
    }
)


def pointed_config(folder: Path, origins: Mapping[str, str], *, interval: float = 1.0, service: str = "") -> Path:
    """The shipped config, polling ``origins`` every ``interval`` seconds, without the providers' limits."""
    (folder / "connectors").mkdir(parents=True)
    for shipped in (shipped_config() / "connectors").glob("*.toml"):
        text = shipped.read_text(encoding="utf-8").replace(
            "interval_seconds = 10\n", f"interval_seconds = {interval}\n"
        )
        text = re.sub(r"^(requests|weight)_per_.*$", "", text, flags=re.MULTILINE)
        for real, local in origins.items():
            text = text.replace(real, local)
        (folder / "connectors" / shipped.name).write_text(text, encoding="utf-8")
    (folder / "service.toml").write_text(service, encoding="utf-8")
    return folder


class RunningService:
    """A started service: its process, its address, and what it said on stderr so far."""

    def __init__(self, process: trio.Process, address: str, log: Path) -> None:
        self.process = process
        self.address = address
        self.log = log
        self.client = httpx.AsyncClient(base_url=address, timeout=20)

    async def get(self, path: str, **params: Any) -> Any:
        """The JSON of a 200."""
        response = await self.client.get(path, params=params or None)
        assert response.status_code == 200, (path, response.status_code, response.text)
        return response.json()

    async def until(self, path: str, holds: Any, *, seconds: float = 20) -> Any:
        """The first answer of ``path`` for which ``holds`` is true."""
        answer = None
        with trio.move_on_after(seconds):
            while True:
                answer = await self.get(path)
                if holds(answer):
                    return answer
                await trio.sleep(0.1)
        raise AssertionError(f"{path} did not come to it within {seconds} s: {answer}")

    async def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 20) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        with trio.fail_after(seconds):
            return await self.process.wait()

    def resident_megabytes(self) -> float:
        """How much memory the process takes now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every log entry of that name."""
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [entry for entry in map(json.loads, lines) if entry.get("event") == name]


@asynccontextmanager
async def running(
    config: Path, data_dir: Path, *, command: tuple[str, ...] = ("serve",), environment: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """A service that is ready; killed at the end if it still runs."""
    log = data_dir.parent / f"{data_dir.name}.log"
    arguments = [sys.executable, "-m", "etl_actors", *command, "--data-dir", str(data_dir), "--port", "0"]
    if command[0] == "serve":
        arguments += ["--config", str(config)]
    inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "ETL_DATA_DIR"}}
    with log.open("ab") as errors:
        process = await trio.lowlevel.open_process(
            arguments,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=inherited | dict(environment or {}),
            cwd=data_dir.parent,
        )
    try:
        address = await _address(process, log)
        service = RunningService(process, address, log)
        async with service.client:
            yield service
    finally:
        if process.returncode is None:
            process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            if process.stdout is not None:
                await process.stdout.aclose()


async def _address(process: trio.Process, log: Path) -> str:
    assert process.stdout is not None
    said = b""
    with trio.move_on_after(30):
        while b"\n" not in said and (more := await process.stdout.receive_some()):
            said += more
    line = said.decode()
    assert line.startswith(READY), (line, await trio.Path(log).read_text())
    return line.removeprefix(READY).strip()


def postmaster(data_dir: Path) -> int:
    """The pid of the server on this data folder."""
    return int((data_dir / "postgres/cluster/postmaster.pid").read_text().split("\n", 1)[0])


def never_reading(service: RunningService, path: str) -> socket.socket:
    """A socket that asks for this and reads nothing."""
    address = urlsplit(service.address)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect((address.hostname, address.port))
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return connection


async def until_no_postgres(data_dir: Path, *, seconds: float = 10) -> None:
    """Return once no server runs on this data folder any more."""
    with trio.fail_after(seconds):
        while postgres_processes(data_dir):  # noqa: ASYNC110 - nobody tells us when somebody else's process ends
            await trio.sleep(0.05)


def postgres_processes(data_dir: Path) -> list[str]:
    """Command lines of servers that run on this data folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "postgres" in line and str(data_dir) in line]
