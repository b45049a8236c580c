"""What a REST caller cannot have this service reach: a trap on loopback that nobody may ever come to."""

from __future__ import annotations

import ipaddress
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from ..postgres import KeptServer, fresh_database, reachable_folder
from .origin_server import serving
from .started import Started, started
from .test_connectors import until
from .test_routes import bad

FORBIDDEN = "[server]\ndrain_seconds = 5\n[security]\nallow_private_targets = false\n"
ALLOWED = FORBIDDEN.replace("false", "true")

# {port} is where the trap listens.
HOSTILE = {
    # loopback, in every spelling that some resolver understands
    "dotted": "http://127.0.0.1:{port}/",
    "another loopback": "http://127.8.9.10:{port}/",
    "trailing dot": "http://127.0.0.1.:{port}/",
    "two parts": "http://127.1:{port}/",
    "three parts": "http://127.0.1:{port}/",
    "decimal": "http://2130706433:{port}/",
    "octal": "http://017700000001:{port}/",
    "octal parts": "http://0177.0.0.01:{port}/",
    "hex": "http://0x7f000001:{port}/",
    "hex parts": "http://0x7F.0x0.0x0.0x1:{port}/",
    "mixed": "http://0x7f.1:{port}/",
    "zero": "http://0:{port}/",
    "unspecified": "http://0.0.0.0:{port}/",
    "ideographic dots": "http://127\u30020\u30020\u30021:{port}/",
    "circled digits": "http://\u2460\u2461\u2466.0.0.1:{port}/",
    "full-width digits": "http://\uff11\uff12\uff17.0.0.1:{port}/",
    "escaped digits": "http://%31%32%37.0.0.1:{port}/",
    "escaped space": "http://127.0.0.1%20:{port}/",
    "escaped nul": "http://127.0.0.1%00.example.org:{port}/",
    "over https": "https://127.0.0.1:{port}/",
    # names of this machine
    "localhost": "http://localhost:{port}/",
    "large localhost": "http://LOCALHOST:{port}/",
    "localhost with a dot": "http://localhost.:{port}/",
    "below localhost": "http://anything.localhost:{port}/",
    # IPv6, and IPv4 inside of it
    "six": "http://[::1]:{port}/",
    "six in full": "http://[0:0:0:0:0:0:0:1]:{port}/",
    "six unspecified": "http://[::]:{port}/",
    "mapped": "http://[::ffff:127.0.0.1]:{port}/",
    "mapped in hex": "http://[::ffff:7f00:1]:{port}/",
    "compatible": "http://[::127.0.0.1]:{port}/",
    "NAT64": "http://[64:ff9b::7f00:1]:{port}/",
    "local NAT64": "http://[64:ff9b:1::7f00:1]:{port}/",
    "6to4": "http://[2002:7f00:1::]:{port}/",
    "Teredo": "http://[2001:0:7f00:1::]:{port}/",
    "zone": "http://[fe80::1%25lo]:{port}/",
    "bare zone": "http://[fe80::1%lo]:{port}/",
    "zone of loopback": "http://[::1%25lo]:{port}/",
    # private networks and what clouds tell their machines
    "private": "http://10.0.0.1:{port}/",
    "private too": "http://172.31.255.255/",
    "private at home": "http://192.168.1.1/",
    "unique local": "http://[fd00::1]:{port}/",
    "shared": "http://100.64.0.1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata in hex": "http://0xa9fea9fe/",
    "metadata mapped": "http://[::ffff:169.254.169.254]/",
    "metadata over six": "http://[fd00:ec2::254]/",
    "metadata elsewhere": "http://168.63.129.16/",
    # tricks with the rest of the url
    "user": "http://good.example@127.0.0.1:{port}/",
    "user with a port": "http://good.example:80@127.0.0.1:{port}/",
    "backslash": "http://good.example\\@127.0.0.1:{port}/",
    "fragment": "http://127.0.0.1:{port}#@good.example/",
    "query": "http://127.0.0.1:{port}?@good.example/",
    # nothing of the web
    "file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:{port}/_GET",
    "ftp": "ftp://127.0.0.1:{port}/",
    "mail": "http://example.org:25/",
    "shell": "http://example.org:22/",
    "no port": "http://example.org:0/",
    "no such port": "http://example.org:65536/",
    "another line": "http://example.org/\r\nHost: 127.0.0.1:{port}",
}


@dataclass
class Trap:
    """``caught`` are those who came."""

    port: int
    caught: list[Any] = field(default_factory=list)


@contextmanager
def laid_trap() -> Iterator[Trap]:
    """A listener on every address of this machine, of both families."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    with socket.create_server(("", 0), family=family, dualstack_ipv6=both) as listener:
        trap = Trap(listener.getsockname()[1])

        def wait() -> None:
            while True:
                connection, address = listener.accept()
                connection.close()
                if address[1] == closing:
                    return
                trap.caught.append(address)

        closing = 0
        thread = threading.Thread(target=wait)
        thread.start()
        try:
            yield trap
        finally:
            with socket.socket() as last:
                last.bind(("127.0.0.1", 0))
                closing = last.getsockname()[1]
                last.connect(("127.0.0.1", trap.port))
                thread.join()


@pytest.fixture(scope="module")
def database(postgres: KeptServer) -> Iterator[str]:
    """One database for all tests of this file."""
    yield from fresh_database(postgres, template="template1")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a service of the test's own."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def service(database: str) -> Iterator[Started]:
    """One service for all tests that forbid private targets."""
    made = reachable_folder()
    with started(made, service=FORBIDDEN, environment={"DATABASE_URL": database}) as running:
        yield running
    shutil.rmtree(made)


@pytest.fixture
def client(service: Started) -> Iterator[httpx.Client]:
    """A client of it."""
    with service.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def trap() -> Iterator[Trap]:
    """One trap, to which nobody has come when the tests are over."""
    with laid_trap() as laid:
        socket.create_connection(("127.0.0.1", laid.port)).close()
        until(lambda: laid.caught)
        laid.caught.clear()  # it works
        yield laid
        assert laid.caught == []


def stored_rows(database: str) -> int:
    """What was stored of anybody."""
    with psycopg.connect(database) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("api_connectors", "api_connector_data", "rejected")
        ]
    return sum(count[0] for count in counts if count is not None)


def names_path(problem: Any, path: str) -> bool:
    """Whether the document says which of what was sent is wrong."""
    return any(error["path"] == path and error["message"] for error in problem["errors"])


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_target_is_refused_at_every_door(client: httpx.Client, database: str, trap: Trap, case: str) -> None:
    """422 with the path; nobody comes to the trap and nothing is stored."""
    target = HOSTILE[case].format(port=trap.port)
    harmless = {"connector_id": "harmless", "url": "https://api.example.org/", "enabled": False}
    if client.get("/api/connectors/harmless").status_code == 404:
        assert client.post("/api/connectors", json=harmless).status_code == 201
    before, kept = stored_rows(database), client.get("/api/connectors/harmless").json()
    auth = {"type": "oauth2", "client_id": "us", "client_secret": "thing", "token_url": target}
    new = {"connector_id": "hostile", "interval_seconds": 0.05}
    for method, path, document, place in (
        ("POST", "/api/connectors", {**new, "url": target}, "url"),
        ("POST", "/api/connectors", {**new, "url": harmless["url"], "auth": auth}, "auth.token_url"),
        ("PUT", "/api/connectors/harmless", {**harmless, "url": target}, "url"),
        ("PUT", "/api/connectors/harmless", {**harmless, "auth": auth}, "auth.token_url"),
        ("POST", "/api/data/extract", {"url": target}, "url"),
        ("POST", "/api/data/extract", {"url": harmless["url"], "auth": auth}, "auth.token_url"),
    ):
        problem = bad(client, method, path, 422, json=document)
        assert names_path(problem, place), (method, path, problem)
    bad(client, "GET", "/api/connectors/hostile", 404)
    assert client.get("/api/connectors/harmless").json() == kept
    assert (stored_rows(database), trap.caught) == (before, [])


def inner_names() -> list[str]:
    """Names that this machine's own table leads to addresses that are not public, "localhost" itself left out."""
    found: dict[str, None] = {}
    for line in Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if address and not ipaddress.ip_address(address.partition("%")[0]).is_global:
            found |= dict.fromkeys(name for name in names if not name.rstrip(".").endswith("localhost"))
    return [name for name in found if _resolves(name)]


def _resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, 80))
    except OSError:
        return False


def test_a_name_that_leads_inside_is_refused_when_it_is_resolved(client: httpx.Client, trap: Trap) -> None:
    """An extraction is 422; a connector is made, for the name may lead elsewhere tomorrow, and its status says why."""
    names = inner_names()
    if not names:
        pytest.skip("no name in /etc/hosts leads inside")
    for number, name in enumerate(names):
        url = f"http://{name}:{trap.port}/"
        problem = bad(client, "POST", "/api/data/extract", 422, json={"url": url})
        assert names_path(problem, "url"), problem
        assert "not public" in problem["detail"]
        connector_id = f"inner_{number}"
        document = {"connector_id": connector_id, "url": url, "interval_seconds": 0.05}
        assert client.post("/api/connectors", json=document).status_code == 201
        path = f"/api/connectors/{connector_id}/status"
        until(lambda path=path: "not public" in (client.get(path).json()["last_error"] or ""))
        assert client.get(f"/api/data/{connector_id}").json()["total"] == 0
        assert client.delete(f"/api/connectors/{connector_id}").status_code == 204
    assert trap.caught == []


def test_a_redirect_is_not_followed(database: str, folder: Path, trap: Trap) -> None:
    """Not by a connector, an extraction or the fetch of a token, though private targets are allowed."""
    place = f"http://127.0.0.1:{trap.port}/inside"
    environment = {"DATABASE_URL": database}
    with (
        started(folder, service=ALLOWED, environment=environment) as service,
        service.client() as client,
        serving(lambda asked: (int(asked.target.rpartition("/")[2]), place.encode())) as provider,
    ):
        for status in (301, 302, 303, 307, 308):
            url = f"{provider.url}/{status}"
            auth = {"type": "oauth2", "client_id": "us", "client_secret": "thing", "token_url": url}
            for body in ({"url": url}, {"url": url, "method": "POST"}, {"url": f"{provider.url}/200", "auth": auth}):
                assert "redirects" in bad(client, "POST", "/api/data/extract", 424, json=body)["detail"]
            document = {"connector_id": f"moved_{status}", "url": url, "interval_seconds": 0.05}
            assert client.post("/api/connectors", json=document).status_code == 201
            path = f"/api/connectors/moved_{status}/status"
            until(lambda path=path: "redirects" in (client.get(path).json()["last_error"] or ""))
            assert client.delete(f"/api/connectors/moved_{status}").status_code == 204
    assert trap.caught == []


def test_a_connector_of_freer_times_reaches_nothing_when_private_targets_are_forbidden(
    database: str, folder: Path
) -> None:
    """It is kept and its status says why, by address as by name, for its url as for where its tokens come from."""
    environment = {"DATABASE_URL": database}
    with laid_trap() as free, started(folder, service=ALLOWED, environment=environment) as service:
        auth = {"type": "oauth2", "client_id": "us", "client_secret": "thing"}
        targets: dict[str, dict[str, Any]] = {
            "by_address": {"url": f"http://127.0.0.1:{free.port}/"},
            "by_name": {"url": f"http://localhost:{free.port}/"},
            "over_six": {"url": f"https://[::1]:{free.port}/"},
            "for_tokens": {
                "url": "https://api.example.org/",
                "auth": auth | {"token_url": f"http://127.0.0.1:{free.port}/"},
            },
        }
        with service.client() as client:
            for name, target in targets.items():
                document = {"connector_id": name, "interval_seconds": 0.05, **target}
                assert client.post("/api/connectors", json=document).status_code == 201
            until(lambda: len(free.caught) > len(targets))
        service.kill()
        free.caught.clear()
        with started(folder, service=FORBIDDEN, environment=environment) as strict, strict.client() as client:
            for name in targets:
                path = f"/api/connectors/{name}/status"
                said = until(lambda path=path: client.get(path).json()["last_error"])
                assert "allow_private_targets" in said, (name, said)
                assert client.get(path).json()["state"] == "failing"
                assert client.post(f"/api/connectors/{name}/trigger").status_code == 200
            for name in targets:
                assert client.delete(f"/api/connectors/{name}").status_code == 204
        assert free.caught == []
