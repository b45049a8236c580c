"""``etl-actors load``: files go up a piece at a time, and what became of each is said."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from etl_actors.cli.load import report

from .serving import header, reply, serving, whole_body
from .test_commands import run


class Uploads:
    """A service that takes files; the next answers are those of ``answers``, or that all rows were stored."""

    def __init__(self, *answers: tuple[str, Any]) -> None:
        self._answers = list(answers)
        self.heads: list[str] = []
        self.files: list[tuple[str, str, bytes]] = []

    def __call__(self, connection: socket.socket, head: str, body: bytes) -> None:
        content = whole_body(connection, head, body)
        self.heads.append(head)
        parsed = message_from_bytes(f"Content-Type: {header(head, 'Content-Type')}\r\n\r\n".encode() + content)
        for part in parsed.get_payload():
            assert part.get_param("name", header="content-disposition") == "file"
            self.files.append((part.get_filename(), part.get_content_type(), part.get_payload(decode=True)))
        stored = {"id": 12, "filename": "x", "row_count": 2, "bad_rows": {"count": 0, "first": []}, "later": 1}
        status, answer = self._answers.pop(0) if self._answers else ("201 Created", stored)
        kind = "application/json" if status < "4" else "application/problem+json"
        reply(connection, status, json.dumps(answer).encode(), kind)


def test_files_are_uploaded_and_told_one_a_line(tmp_path: Path) -> None:
    """As multipart ``file``, with their names, their types, their bytes and the key."""
    contents = {"a b.csv": b"x,y\r\n1,2\r\n", "ü.ndjson": b'{"a":1}\n', "c.json": b"[]"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    uploads = Uploads()
    with serving(uploads) as url:
        done = run("load", *contents, cwd=tmp_path, ETL_URL=url, ETL_API_KEY="etl_canary")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{name}: 2 rows stored as file 12" for name in contents]
    assert [content for _, _, content in uploads.files] == list(contents.values())
    assert [kind for _, kind, _ in uploads.files] == ["text/csv", "application/x-ndjson", "application/json"]
    assert uploads.files[0][0] == "a b.csv"
    assert uploads.heads[0].startswith("POST /api/data/upload HTTP/1.1\r\n")
    assert header(uploads.heads[0], "Authorization") == "Bearer etl_canary"


def test_bad_rows_are_told_by_line() -> None:
    """As many as the service names, and how many more there are; a file cannot move the cursor of who reads it."""
    first = [{"line": 3, "message": "expected 2 columns, got 1"}, {"line": 9, "message": "\x1b[2Jnot a number"}]
    answer = {"id": 7, "row_count": 1, "bad_rows": {"count": 1_003, "first": first}}
    assert list(report(Path("a.csv"), answer)) == [
        "a.csv: 1 row stored as file 7; 1,003 bad rows left out",
        "  line 3: expected 2 columns, got 1",
        "  line 9:  [2Jnot a number",
        "  and 1,001 more",
    ]


@pytest.mark.parametrize("answer", [{}, {"row_count": None}, {"bad_rows": None}, {"bad_rows": {"first": []}}])
def test_an_answer_with_less_in_it_is_told_as_far_as_it_goes(answer: dict[str, Any]) -> None:
    """A service of another version."""
    assert list(report(Path("a.csv"), answer)) == ["a.csv: stored"]


def test_a_refused_file_does_not_keep_the_others_back(tmp_path: Path) -> None:
    """Exit code 1, the reason on stderr, and the rest is stored."""
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n")
    problem = {"title": "Not valid", "status": 422, "detail": "no", "errors": [{"path": "file", "message": "is empty"}]}
    with serving(Uploads(("422 Unprocessable", problem))) as url:
        done = run("load", "--url", url, "a.csv", "b.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "etl-actors: a.csv: the service said no (422): file: is empty",
        "etl-actors: 1 of 2 files were not stored",
    ]
    assert done.stdout == "b.csv: 2 rows stored as file 12\n"


def test_a_missing_file_is_bad_usage_before_anything_is_sent(tmp_path: Path) -> None:
    """Exit code 2; so is a folder."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    uploads = Uploads()
    with serving(uploads) as url:
        for wrong in ("nosuch.csv", "."):
            done = run("load", "a.csv", wrong, cwd=tmp_path, ETL_URL=url)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith(f"etl-actors: {wrong}: ")
        assert "this is a folder; name the files in it" in done.stderr
    assert not uploads.files


def test_no_service_is_one_sentence(tmp_path: Path) -> None:
    """Exit code 1, told once however many files there are."""
    (tmp_path / "a.csv").write_text("x\n1\n")
    done = run("load", "a.csv", "a.csv", cwd=tmp_path, ETL_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no service answers at http://127.0.0.1:1 (connection refused)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_service_that_hangs_up_is_told(tmp_path: Path) -> None:
    """In the middle of a file."""
    (tmp_path / "a.csv").write_bytes(b"x\n" * 5_000_000)
    with serving(lambda connection, head, body: None) as url:
        done = run("load", "a.csv", cwd=tmp_path, ETL_URL=url)
    assert done.returncode == 1
    assert "broke off" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_large_file_takes_no_memory(tmp_path: Path) -> None:
    """400 MB, and not a quarter of it is in memory at any time."""
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(400_000_000)

    received, peak = 0, 0

    def count(connection: socket.socket, head: str, body: bytes) -> None:
        nonlocal received, peak
        received = len(body)
        while received < int(header(head, "Content-Length")):
            received += len(connection.recv(1_048_576))
        peak = peak_memory(process.pid)
        reply(connection, "201 Created", b"{}")

    with serving(count) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl_actors", "load", "large.csv"],
            cwd=tmp_path, env=os.environ | {"ETL_URL": url}, stdout=subprocess.PIPE,
        )  # fmt: skip
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, b"large.csv: stored\n")
    assert received > 400_000_000
    assert 0 < peak < 100_000_000  # the interpreter and its libraries take half of it


def peak_memory(process: int) -> int:
    """The most that a process had in memory so far, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
