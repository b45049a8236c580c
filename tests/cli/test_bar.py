"""The bar of a transfer says how far it is, and only people at a terminal see it."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from etl_actors.cli.bar import Bar, count_of

from .serving import reply, serving


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (1_234_567, "rows", "1,234,567 rows"),
        (999, "bytes", "999 bytes"),
        (1_500, "bytes", "1.5 kB"),
        (2_000_000, "bytes", "2.0 MB"),
        (5_250_000_000, "bytes", "5.25 GB"),
    ],
)
def test_numbers_are_written_for_people(number: int, unit: str, text: str) -> None:
    """Rows with commas, bytes in the unit that suits them."""
    assert count_of(number, unit) == text


def test_a_line_tells_share_amount_and_rate() -> None:
    """With a total; without one, what is known. More than was announced is still all of it."""
    bar = Bar("a.csv", unit="rows", total=400)
    bar.advance(100)
    assert bar.line(2) == "a.csv  ██████░░░░░░░░░░░░░░░░░░  25%  100 of 400 rows  50 rows/s"
    bar.advance(301)
    assert " 100%  401 of 400 rows" in bar.line(2)
    endless = Bar("a.parquet", unit="bytes", total=None)
    endless.advance(2_000_000)
    assert endless.line(2) == "a.parquet  2.0 MB  1.0 MB/s"


def test_a_terminal_shows_the_bar_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    """On a real terminal: rows of the total, and a clean line at the end."""

    def answer(connection: socket.socket, head: str, body: bytes) -> None:
        if "limit=1 " in head.replace("&", " "):
            reply(connection, "200 OK", b'{"items":[],"total":2}')
        else:
            reply(connection, "200 OK", b"id\r\n1\r\n2\r\n", "text/csv; charset=utf-8")

    terminal, process_side = pty.openpty()
    try:
        with serving(answer) as url:
            process = subprocess.Popen(
                [sys.executable, "-m", "etl_actors", "export", "a.csv"],
                cwd=tmp_path, env=os.environ | {"ETL_URL": url, "COLUMNS": "120"}, stderr=process_side,
            )  # fmt: skip
            assert process.wait(30) == 0
        shown = os.read(terminal, 65_536).decode()
    finally:
        os.close(process_side)
        os.close(terminal)
    assert "100%  2 of 2 rows" in shown
    assert shown.rstrip().rpartition("\x1b[2K")[2] == "a.csv: 10 bytes written"
    assert (tmp_path / "a.csv").read_bytes() == b"id\r\n1\r\n2\r\n"
