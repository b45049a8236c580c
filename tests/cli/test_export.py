"""``etl-actors export``: a running service's items in a file, whole or not at all."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest

from ..web.conftest import demo
from .serving import header, reply, serving
from .test_commands import run

__all__ = ["demo"]

CHUNKED = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_the_ending_of_the_file_says_what_it_becomes(demo: str, tmp_path: Path) -> None:
    """CSV, NDJSON and Parquet, with the same rows."""
    until = httpx.get(f"{demo}/api/data/items?limit=1").json()["items"][0]["timestamp"]
    for name in ("a.csv", "a.ndjson", "a.parquet"):
        done = run("export", name, "--until", until, "--limit", "2500", cwd=tmp_path, ETL_URL=demo)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert f"{name}: " in done.stderr
        assert "\x1b" not in done.stderr
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(tmp_path / "a.parquet")
    assert len(rows) == 2500 == table.num_rows == len((tmp_path / "a.ndjson").read_text().splitlines())
    assert [int(row["id"]) for row in rows] == table.column("id").to_pylist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.ndjson", "a.parquet"]
    assert (tmp_path / "a.csv").stat().st_mode & 0o444


def test_options_choose_the_rows(demo: str) -> None:
    """A connector, a symbol, an exchange, a time; ``-`` is stdout, CSV unless said otherwise."""
    done = run("export", "-", "--connector", "coingecko_top", "--symbol", "btc", "--limit", "1", ETL_URL=demo)
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert (row["connector_id"], row["coin_symbol"]) == ("coingecko_top", "BTC")
    assert done.stderr == ""
    lines = run("export", "-", "--exchange", "binance", "--format", "ndjson", "--limit", "3", "--url", demo).stdout
    assert [line.count('"exchange":"binance"') for line in lines.splitlines()] == [1, 1, 1]
    early = run("export", "-", "--since", "2001-01-01T00:00:00Z", "--until", "2001-01-02T00:00:00Z", ETL_URL=demo)
    assert (early.returncode, len(early.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.csv", "--since", "yesterday"), 2, "--since: must be a time"),
        (("a.csv", "--limit", "0"), 2, "--limit"),
        (("a.csv", "--connector", ""), 2, "--connector is empty"),
        (("a.csv", "--symbol", ""), 2, "--symbol is empty"),
        (("a.csv", "--format", "excel"), 2, "--format"),
        (("a.xlsx",), 2, "a.xlsx ends with none of .csv"),
        (("a",), 2, "--format"),
        ((".", "--format", "csv"), 2, "is a folder"),
        (("no/such/a.csv",), 2, "cannot write no/such/a.csv: no such file or directory"),
        (("a.csv", "--connector", "nosuch"), 1, "there is no connector 'nosuch'"),
        (("a.csv", "--connector", "../items"), 1, "404"),
        (("a.csv", "--url", "127.0.0.1:8000"), 2, "--url: this is no address"),
        (("a.csv", "--url", "http://127.0.0.1:1"), 1, "no service answers at http://127.0.0.1:1"),
        (("a.csv", "--key-file", "nosuch"), 2, "--key-file: cannot read nosuch"),
        ((), 2, "FILE"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    demo: str, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """With the option to mend, and no file left behind."""
    done = run("export", *arguments, cwd=tmp_path, ETL_URL=demo)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_key_is_sent_and_never_shown(tmp_path: Path) -> None:
    """From a variable, from the file that one names, from ``--key-file``; a refusal says where it is read from."""
    (tmp_path / "key").write_text("etl_canary\n")
    (tmp_path / "bad").write_text("etl canary\n")
    seen: list[str] = []

    def refuse(connection: socket.socket, head: str, body: bytes) -> None:
        seen.append(header(head, "Authorization"))
        reply(connection, "401 Unauthorized", b'{"title":"Unauthorized","detail":"no such key"}')

    with serving(refuse) as url:
        for arguments, environment in (
            ((), {"ETL_API_KEY": "etl_canary"}),
            ((), {"ETL_API_KEY_FILE": "key"}),
            (("--key-file", "key"), {"ETL_API_KEY": "other"}),
        ):
            done = run("export", "a.csv", *arguments, cwd=tmp_path, ETL_URL=url, **environment)
            assert done.returncode == 1
            assert "the service said no (401): no such key (the key is read from ETL_API_KEY" in done.stderr
            assert "canary" not in done.stderr
        wrong = run("export", "a.csv", "--key-file", "bad", cwd=tmp_path, ETL_URL=url)
    assert seen == ["Bearer etl_canary"] * 3
    assert wrong.returncode == 2
    assert "canary" not in wrong.stderr


def test_a_download_that_breaks_off_leaves_the_old_file(tmp_path: Path) -> None:
    """Exit code 1; what was there before stays as it was."""
    (tmp_path / "a.csv").write_text("old")

    def break_off(connection: socket.socket, head: str, body: bytes) -> None:
        connection.sendall(CHUNKED.format("text/csv").encode() + b"5\r\nid\r\n1\r\n")

    with serving(break_off) as url:
        done = run("export", "a.csv", cwd=tmp_path, ETL_URL=url)
    assert done.returncode == 1
    assert "broke off" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_ctrl_c_leaves_no_half_file(tmp_path: Path) -> None:
    """In the middle of a download: exit code 130, and nothing beside what was there."""
    arrived, over = threading.Event(), threading.Event()

    def stall(connection: socket.socket, head: str, body: bytes) -> None:
        connection.sendall(CHUNKED.format("text/csv").encode() + b"4\r\nid\r\n\r\n")
        arrived.set()
        over.wait(30)

    with serving(stall) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl_actors", "export", "a.csv"],
            cwd=tmp_path, env=os.environ | {"ETL_URL": url}, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        with process.stderr:
            assert arrived.wait(30)
            while not list(tmp_path.glob(".a.csv.*.part")):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert b"Traceback" not in process.stderr.read()
        over.set()
    assert not list(tmp_path.iterdir())


def test_another_kind_of_server_is_noticed(tmp_path: Path) -> None:
    """A 200 that is no export is not kept as one."""
    with serving(lambda connection, head, body: reply(connection, "200 OK", b"<html>", "text/html")) as url:
        done = run("export", "a.csv", cwd=tmp_path, ETL_URL=url)
    assert done.returncode == 1
    assert "is this the address of etl-actors?" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_reader_that_stops_ends_it(demo: str) -> None:
    """As ``| head`` does: no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "etl_actors", "export", "-"],
        env=os.environ | {"ETL_URL": demo}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert process.stdout.read(3) == b"id,"
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    assert process.wait(30) != 0


def test_a_disk_that_is_full_is_told(demo: str) -> None:
    """Exit code 1; a device is written as it is and not replaced."""
    done = run("export", "/dev/full", "--format", "csv", ETL_URL=demo)
    assert done.returncode == 1
    assert "cannot write /dev/full to its end: no space left on device" in done.stderr
    assert Path("/dev/full").is_char_device()
