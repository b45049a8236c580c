"""``etl-actors rejected``: listed, shown, mapped again and dropped, on a running service."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from etl_actors.cli.rejected_table import described, lines

from ..postgres import KeptServer, fresh_database, reachable_folder
from ..web.origin_server import Provider, serving
from ..web.rejecting import BAD, GOOD, SERVICE, Rejecting
from ..web.started import started
from .serving import reply
from .serving import serving as answering
from .test_commands import run

# Takes the price of ETH for 7, and no other that is none.
MENDED = {"coin_symbol": "s", "price": "s == 'ETH' && '7' || p"}
HOPELESS = {"s": "XRP", "p": "n/a"}


@pytest.fixture(scope="module")
def client(postgres: KeptServer) -> Iterator[httpx.Client]:
    """A client of one service for all tests of this file."""
    folder = reachable_folder()
    for database in fresh_database(postgres, template="template1"):
        with (
            started(folder, service=SERVICE, environment={"DATABASE_URL": database}) as running,
            running.client() as opened,
        ):
            yield opened
    shutil.rmtree(folder)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider for one connector."""
    with serving(lambda asked: (200, b"[]")) as made:
        yield made


def rejected(client: httpx.Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, run on that service."""
    done = run("rejected", *arguments, ETL_URL=str(client.base_url))
    assert "Traceback" not in done.stderr
    return done


def test_they_are_listed_as_a_table_or_as_json_lines(client: httpx.Client, provider: Provider) -> None:
    """The newest first; how many more there are is told beside it."""
    one = Rejecting(client, provider, "listed", [BAD] * 3)
    table = rejected(client, "list", "--connector", "listed", "--limit", "2")
    assert table.returncode == 0
    head, first, *rest = table.stdout.splitlines()
    assert head.split() == ["id", "connector", "received", "what", "size", "config", "reason"]
    assert (len(rest), first.split()[:2]) == (1, [str(one.rejected()[0]["id"]), "listed"])
    assert 'price: not a number: "n/a"' in first
    assert table.stderr == "2 of 3; --limit shows more\n"
    as_json = rejected(client, "list", "--connector", "listed", "--json")
    assert [json.loads(line) for line in as_json.stdout.splitlines()] == one.rejected()
    assert rejected(client, "list", "--connector", "nosuch").stdout == "nothing is rejected\n"


def test_one_is_shown(client: httpx.Client, provider: Provider) -> None:
    """With its reason and its bytes; as JSON, or its bytes alone."""
    raw = b"\xff\x00<"
    one = Rejecting(client, provider, "shown", raw)
    (kept,) = one.rejected()
    told = rejected(client, "show", str(kept["id"])).stdout
    assert f"reason:    {kept['reason']}" in told
    assert "base64" in told
    assert json.loads(rejected(client, "show", str(kept["id"]), "--json").stdout)["encoding"] == "base64"
    command = [sys.executable, "-m", "etl_actors", "rejected", "show", str(kept["id"]), "--raw"]
    environment = os.environ | {"ETL_URL": str(client.base_url)}
    assert subprocess.run(command, capture_output=True, check=True, env=environment, timeout=60).stdout == raw
    missing = rejected(client, "show", "999999")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("etl-actors: the service said no (404): there is no rejected payload 999999")


def test_single_ones_are_replayed(client: httpx.Client, provider: Provider) -> None:
    """Each is told; one that stays rejected does not keep the others back."""
    one = Rejecting(client, provider, "single", [GOOD, BAD, HOPELESS])
    one.mend(MENDED)
    ids = {row["where"].partition(",")[0]: str(row["id"]) for row in one.rejected()}
    done = rejected(client, "replay", ids["element 3"], ids["element 2"])
    assert done.returncode == 1
    assert done.stdout == f"{ids['element 2']}: replayed: 1 items stored\n"
    assert 'not a number: "n/a"' in done.stderr
    assert done.stderr.splitlines()[-1] == "etl-actors: 1 of 2 were not replayed"
    assert [row["where"] for row in one.rejected()] == ["element 3, price"]


def test_a_backlog_is_replayed(client: httpx.Client, provider: Provider) -> None:
    """Exit code 0 when all of it is stored; 1 with the most frequent reason when some stay."""
    one = Rejecting(client, provider, "backlog", [BAD] * 600 + [HOPELESS] * 2)
    one.mend(MENDED)
    some = rejected(client, "replay", "--connector", "backlog")
    assert some.stdout == "600 rejected payloads replayed: 600 items stored\n"
    assert (some.returncode, some.stderr) == (
        1,
        'etl-actors: 2 rejected payloads stay rejected, most of them since: price: not a number: "n/a"\n',
    )
    one.mend(MENDED | {"price": "'1'"})
    rest = rejected(client, "replay", "--connector", "backlog", "--since", "2020-01-01T00:00:00Z")
    assert (rest.returncode, rest.stderr) == (0, "")
    assert one.rejected() == []


def test_they_are_dropped_after_a_question(client: httpx.Client, provider: Provider) -> None:
    """Single ones without; many only when somebody says yes, or --yes."""
    one = Rejecting(client, provider, "dropped", [BAD] * 4)
    first = str(one.rejected()[0]["id"])
    assert rejected(client, "drop", first).stdout == f"{first}: dropped\n"
    unasked = rejected(client, "drop", "--connector", "dropped")
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert "3 rejected payloads of dropped would be dropped; say --yes" in unasked.stderr
    assert answered(client, b"n\n", "drop", "--connector", "dropped") == 130
    assert len(one.rejected()) == 3
    assert answered(client, b"y\n", "drop", "--connector", "dropped", "--until", "2020-01-01T00:00:00Z") == 0
    assert len(one.rejected()) == 3
    assert answered(client, b"y\n", "drop", "--connector", "dropped") == 0
    assert one.rejected() == []
    done = rejected(client, "drop", "--all", "--yes")
    assert (done.returncode, done.stdout.endswith("rejected payloads dropped\n")) == (0, True)
    assert client.get("/api/rejected").json()["total"] == 0


def answered(client: httpx.Client, answer: bytes, *arguments: str) -> int:
    """The exit code of a command that is asked from a terminal where somebody types this."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "etl_actors", "rejected", *arguments]
    environment = os.environ | {"ETL_URL": str(client.base_url)}
    try:
        os.write(ours, answer)
        return subprocess.run(
            command, stdin=theirs, capture_output=True, env=environment, timeout=60, check=False
        ).returncode
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("drop",),
        ("drop", "--yes"),
        ("drop", "--since", "2025-12-08T16:00:00Z"),
        ("replay", "1", "--all"),
        ("replay", "--all", "--connector", "x"),
        ("drop", "--connector", "", "--yes"),
        ("list", "--since", ""),
        ("list", "--since", "yesterday"),
        ("show", "x"),
    ],
)
def test_what_is_not_clear_is_bad_usage(client: httpx.Client, arguments: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is done."""
    done = rejected(client, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_no_service_is_one_sentence() -> None:
    """Exit code 1."""
    for arguments in (("list",), ("show", "1"), ("replay", "1", "2"), ("drop", "--all", "--yes")):
        done = run("rejected", *arguments, ETL_URL="http://127.0.0.1:1")
        assert (done.returncode, done.stdout) == (1, "")
        assert "no service answers at http://127.0.0.1:1 (connection refused)" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_refusal_of_the_service_is_one_sentence() -> None:
    """With what it says."""
    problem = json.dumps({"title": "Database unavailable", "status": 503, "detail": "the database does not answer"})

    with answering(lambda connection, head, body: reply(connection, "503 No", problem.encode())) as url:
        done = run("rejected", "replay", "--all", ETL_URL=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "etl-actors: the service said no (503): the database does not answer\n"


ONE = {
    "id": 7, "connector_id": "a", "kind": "element", "where": "element 3, price", "reason": "r" * 300,
    "timestamp": "2025-12-08T16:00:00.5Z", "size": 1_200, "config_changed": None,
}  # fmt: skip


def test_a_table_fits_its_terminal() -> None:
    """The reason is cut; the rest is never."""
    head, row = lines([ONE], width=120)
    assert len(row) == 120
    assert row.startswith("7   a          2025-12-08T16:00:00Z  element 3, price  1.2 kB  -       rrr")
    assert row.endswith("…")
    assert len(head) <= 120


def test_a_payload_cannot_move_the_cursor_of_who_reads_it() -> None:
    """Its lines are kept."""
    shown = list(described(ONE | {"raw": "a\n\x1b[2Jb", "encoding": "utf-8", "truncated": True}))
    assert shown[-3:] == ["a", " [2Jb", "… (--raw writes all of it)"]
