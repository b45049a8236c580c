"""A service as a process of its own, for tests that ask it with plain clients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ..service.running import READY

OURS = {"DATABASE_URL", "ETL_DATA_DIR", "ENCRYPTION_KEY", "ETL_ADMIN_KEY"}


@dataclass
class Started:
    """``address`` is where it listens; ``log`` is what it says on stderr."""

    address: str
    data_dir: Path
    log: Path
    process: subprocess.Popen[bytes]

    def client(self, **options: object) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.address, timeout=30, **options)  # type: ignore[arg-type]  # options of httpx

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.wait(20)


@contextmanager
def started(
    folder: Path,
    *,
    service: str = "",
    connectors: str = "",
    environment: Mapping[str, str] | None = None,
    may_crash: bool = False,
    port: int = 0,
) -> Iterator[Started]:
    """``serve`` with this configuration; its data stays in ``folder``. It must drain and exit 0, unless killed.

    Only one that ``may_crash`` may leave a traceback in its log, or end by itself. Port 0 is a free one.
    """
    config = folder / "config"
    (config / "connectors").mkdir(parents=True, exist_ok=True)
    (config / "service.toml").write_text(service, encoding="utf-8")
    (config / "connectors" / "written.toml").write_text(connectors, encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if name not in OURS}
    log = folder / "log"
    command = [sys.executable, "-m", "etl_actors", "serve", "--config", str(config), "--port", str(port)]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*command, "--data-dir", str(folder / "data")],
            stdout=subprocess.PIPE,
            stderr=errors,
            env=inherited | dict(environment or {}),
            cwd=folder,
        )
    assert process.stdout is not None
    with process.stdout:
        line = process.stdout.readline().decode()
        while line and not line.startswith(READY):
            line = process.stdout.readline().decode()
        assert line, log.read_text()
        running = Started(line.removeprefix(READY).strip(), folder / "data", log, process)
        try:
            yield running
        except BaseException:
            process.kill()
            process.wait(20)
            raise
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()[-2000:]
    assert may_crash or "Traceback" not in log.read_text()
