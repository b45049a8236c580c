"""How much memory does a 1 GB upload take? Peak resident memory of the service, and how long it took.

``python bench/upload_memory.py [MEGABYTES] [csv|ndjson|json]``: starts a service with a database of its own in a
temporary folder (which needs about four times the size of the file), uploads, and prints.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

BOUNDARY = b"a-boundary-that-no-row-holds"
ROW = b'%d,2025-12-08T16:00:00Z,BTCUSDT,95000.50,1234567.89,"a note, quoted",some more text to fill the row\n'
OBJECT = b'{"id":%d,"at":"2025-12-08T16:00:00Z","pair":"BTCUSDT","price":95000.50,"more":{"note":"text","list":[1,2]}}'
PIECE_ROWS = 1_000
LIMIT_MB = 200


def rows(kind: str, size: int) -> Iterator[bytes]:
    """A file of that kind, a thousand rows at a time."""
    yield {"csv": b"id,at,pair,price,volume,note,text\n", "ndjson": b"", "json": b"[\n"}[kind]
    made, number = 0, 0
    while made < size:
        lines = [(ROW if kind == "csv" else OBJECT) % (number + place) for place in range(PIECE_ROWS)]
        if kind == "csv":
            piece = b"".join(lines)
        else:
            between = b",\n" if kind == "json" else b"\n"
            piece = (between if number else b"") + between.join(lines)
        number += PIECE_ROWS
        made += len(piece)
        yield piece
    yield b"\n]" if kind == "json" else b""


def body(kind: str, size: int) -> Iterator[bytes]:
    """The file as multipart."""
    name = b"rows." + kind.encode()
    yield b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n\r\n' % (BOUNDARY, name)
    yield from rows(kind, size)
    yield b"\r\n--%b--\r\n" % BOUNDARY


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    kind = sys.argv[2] if len(sys.argv) > 2 else "csv"
    folder = Path(tempfile.mkdtemp(prefix="etl-bench-"))
    folder.chmod(0o711)
    (folder / "config" / "connectors").mkdir(parents=True)
    (folder / "config" / "service.toml").write_text("[server]\nmax_body_bytes = 4_000_000_000\n")
    arguments = ["serve", "--port", "0", "--config", str(folder / "config"), "--data-dir", str(folder / "data")]
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    service = subprocess.Popen(
        [sys.executable, "-m", "etl_actors", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    try:
        assert service.stdout is not None
        address = service.stdout.readline().decode().partition(": ")[2].strip()
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY.decode()}"}
        started = time.perf_counter()
        with httpx.Client(base_url=address, timeout=None) as client:  # noqa: S113  # as long as it takes is the question
            answer = client.post("/api/data/upload", content=body(kind, megabytes * 1_000_000), headers=headers)
        took = time.perf_counter() - started
        peak = int(Path(f"/proc/{service.pid}/status").read_text().split("VmHWM:")[1].split()[0]) / 1000
        stored = answer.json()
        print(f"{answer.status_code}: {stored.get('row_count'):,} rows of {stored.get('file_size'):,} bytes of {kind}")
        print(f"took {took:.0f} s; the service's memory peaked at {peak:.0f} MB (promised: below {LIMIT_MB} MB)")
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
