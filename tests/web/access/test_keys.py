"""Keys over HTTP: how they are shown, what is refused, and how they are made and ended."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import Any

import pytest

from .conftest import ADMIN_KEY, PROXY, Guarded, problem

UNKNOWN = "etl_" + "canary-of-an-unknown-key-0123456789abcdefgh"[:43]
QUICKLY = 4.0


def until_refused(guarded: Guarded, key: str) -> None:
    """Return once the key opens nothing any more."""
    deadline = time.monotonic() + QUICKLY
    with guarded.client(key) as client:
        while client.get("/api/status").status_code != 401:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {ADMIN_KEY}"},
        {"Authorization": f"bearer   {ADMIN_KEY}"},
        {"X-API-Key": ADMIN_KEY},
        {"X-API-Key": ADMIN_KEY, "Authorization": f"Bearer {ADMIN_KEY}"},
    ],
)
def test_a_key_is_shown_in_a_header(guarded: Guarded, headers: dict[str, str]) -> None:
    """As a bearer token, whatever the case of the word, or as X-API-Key."""
    with guarded.client() as client:
        assert client.get("/api/status", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {UNKNOWN}"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": ""}, 401),
        ({"Authorization": f"Basic {UNKNOWN}"}, 401),
        ({"Authorization": ADMIN_KEY}, 401),
        ({"Authorization": f"Bearer {ADMIN_KEY} {ADMIN_KEY}"}, 401),
        ({"Authorization": f"Bearer {ADMIN_KEY[:-1]}"}, 401),
        ({"Authorization": f"Bearer {ADMIN_KEY.upper()}"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"X-API-Key": UNKNOWN}, 401),
        ({"X-API-Key": b"\xff\xfe\x80"}, 401),
        ({"X-API-Key": "a" * 2000}, 401),
        ({"X-API-Key": UNKNOWN, "Authorization": f"Bearer {ADMIN_KEY}"}, 400),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(guarded: Guarded, headers: dict[str, Any], status: int) -> None:
    """401 that says how to do better; 400 for two different keys."""
    guarded.shown.add(UNKNOWN)
    with guarded.client() as client:
        answer = client.get("/api/status", headers=headers)
    problem(answer, status)
    assert UNKNOWN not in answer.text + str(answer.headers)
    assert ADMIN_KEY not in answer.text + str(answer.headers)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith('Bearer realm="etl-actors"')


def test_a_key_in_an_address_counts_on_sockets_only(guarded: Guarded) -> None:
    """Addresses end up in logs; the answer says where a key belongs, and not what it was."""
    with guarded.client() as client:
        answer = client.get("/api/status", params={"key": ADMIN_KEY})
    assert "/ws only" in problem(answer, 401)["detail"]
    assert ADMIN_KEY not in answer.text


def test_a_key_is_made_used_listed_and_revoked(guarded: Guarded) -> None:
    """It is shown once; it works at once; its last use is noted; a revoked one ends within seconds."""
    made = guarded.new_key(name="über-loader", scope="write")
    assert made["key"].startswith("etl_")
    assert made["begins"] == made["key"][:8]
    with guarded.client(made["key"]) as client:
        assert client.post("/ws/test").status_code == 200
        problem(client.get("/api/keys"), 403)
    with guarded.client(ADMIN_KEY) as admin:
        deadline = time.monotonic() + QUICKLY
        while (shown := admin.get(f"/api/keys/{made['id']}").json())["last_used_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (shown["name"], shown["scope"], shown["state"]) == ("über-loader", "write", "active")
        listed = admin.get("/api/keys")
        assert made["id"] in {one["id"] for one in listed.json()["keys"]}
        assert made["key"] not in listed.text
        assert admin.delete(f"/api/keys/{made['id']}").status_code == 204
        assert admin.get(f"/api/keys/{made['id']}").json()["state"] == "revoked"
        assert admin.delete(f"/api/keys/{made['id']}").status_code == 204
    until_refused(guarded, made["key"])


def test_an_expired_key_is_refused(guarded: Guarded) -> None:
    """Within seconds of its end."""
    key = guarded.new_key(expires_days=0.000_015)["key"]
    until_refused(guarded, key)


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        ('{"scope": "root"}', 422, "scope"),
        ('{"expires_days": 0}', 422, "expires_days"),
        ('{"expires_days": -1}', 422, "expires_days"),
        ('{"expires_days": 1e300}', 422, "expires_days"),
        ('{"expires_days": "soon"}', 422, "expires_days"),
        ('{"name": "a\\nb"}', 422, "name"),
        ('{"name": "\\u001b[2J"}', 422, "name"),
        ('{"name": 7}', 422, "name"),
        ('{"surname": "x"}', 422, "surname"),
        ("[]", 422, "body"),
        ("{", 400, None),
        ('{"name": "' + "n" * 200 + '"}', 422, "name"),
        (" " * 20_000, 413, None),
    ],
)
def test_a_bad_wish_for_a_key_is_named(guarded: Guarded, body: str, status: int, path: str | None) -> None:
    """With the place of the mistake."""
    with guarded.client(ADMIN_KEY) as admin:
        document = problem(admin.post("/api/keys", content=body), status)
    assert path is None or document["errors"][0]["path"] == path


@pytest.mark.parametrize("key_id", ["0", "999999999", str(2**63), "9" * 400])
def test_a_key_that_is_not_there_is_not_found(guarded: Guarded, key_id: str) -> None:
    """Whatever its number."""
    with guarded.client(ADMIN_KEY) as admin:
        for method in ("GET", "DELETE"):
            problem(admin.request(method, f"/api/keys/{key_id}"), 404)


def test_many_wrong_keys_from_one_address_are_slowed_down(guarded: Guarded) -> None:
    """429 with Retry-After, for that address only, and not for one of our own keys; showing none does not count."""
    with guarded.client(source="127.0.9.1") as client:
        for _ in range(20):
            assert client.get("/api/status").status_code == 401
        answers = [client.get("/api/status", headers={"X-API-Key": f"{UNKNOWN}{n}"}).status_code for n in range(8)]
        assert answers == [401] * 5 + [429] * 3
        refused = client.get("/api/status", headers={"X-API-Key": UNKNOWN})
        assert 1 <= int(refused.headers["retry-after"]) <= 12
        problem(refused, 429)
        problem(client.post("/api/session", json={"key": UNKNOWN}), 429)
        # A key that somebody made up could be guessed, so it waits like the others; ours could not.
        problem(client.get("/api/status", headers={"X-API-Key": ADMIN_KEY}), 429)
        assert client.get("/api/status", headers={"X-API-Key": guarded.keys["read"]}).status_code == 200
    with guarded.client(ADMIN_KEY) as elsewhere:
        assert elsewhere.get("/api/status").status_code == 200


def test_a_made_up_key_is_not_locked_out_where_it_was_shown_before(guarded: Guarded) -> None:
    """By the wrong keys of others behind the same proxy."""
    with guarded.client(source="127.0.9.2") as client:
        right = {"X-API-Key": ADMIN_KEY}
        assert client.get("/api/status", headers=right).status_code == 200
        wrong = [client.get("/api/status", headers={"X-API-Key": f"{UNKNOWN}{n}"}).status_code for n in range(8)]
        assert wrong == [401] * 5 + [429] * 3
        assert client.get("/api/status", headers=right).status_code == 200


def test_forwarded_headers_are_refused_but_from_a_proxy(guarded: Guarded) -> None:
    """400 that names the setting, for every kind of them, on open routes too."""
    for name, value in (
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=203.0.113.9"),
    ):
        for path in ("/api/status", "/healthz"):
            with guarded.client(ADMIN_KEY) as client:
                assert "trusted_proxies" in problem(client.get(path, headers={name: value}), 400)["detail"]


def test_a_trusted_proxy_speaks_for_its_client(guarded: Guarded) -> None:
    """Wrong keys count for the client and not for the proxy; https is known; what it cannot mean is refused."""
    with guarded.client(source=PROXY) as client:
        codes = [
            client.get("/api/status", headers={"X-Forwarded-For": "203.0.113.9", "X-API-Key": UNKNOWN}).status_code
            for _ in range(7)
        ]
        assert codes == [401] * 5 + [429] * 2
        other = client.get(
            "/api/status", headers={"Forwarded": 'for="[2001:db8::1]:4711";proto=https', "X-API-Key": ADMIN_KEY}
        )
        assert other.status_code == 200
        assert other.headers["strict-transport-security"].startswith("max-age=")
        for bad in ("for=nonsense", "for", 'for="', "proto=gopher", "host=a/b"):
            problem(client.get("/healthz", headers={"Forwarded": bad}), 400)
        problem(client.get("/healthz", headers={"Forwarded": "for=1.2.3.4", "X-Forwarded-For": "1.2.3.4"}), 400)


def test_long_heads_are_refused(guarded: Guarded) -> None:
    """431 and 414 as problem documents, whether the head comes in one piece or not."""
    with guarded.client(ADMIN_KEY) as client:
        assert client.get("/healthz", headers={"X-Long": "a" * 12_000}).status_code == 200
        problem(client.get("/healthz", headers={"X-Long": "a" * 17_000}), 431)
        problem(client.get("/healthz?" + "a" * 9_000), 414)
        assert client.get("/healthz", headers={"X-Long": "a" * 200_000}).status_code == 431


def test_who_is_refused_while_sending_is_told_so(guarded: Guarded) -> None:
    """A large body of a stranger: the answer arrives, and the next request works."""
    with guarded.client() as client:
        for _ in range(20):
            refused = client.post("/ws/test", content=b"x" * 3_000_000)
            problem(refused, 401)
            assert client.get("/healthz").status_code == 200
            problem(client.post("/ws/test", content=b"x" * 9_000), 401)


def test_a_connection_that_is_not_used_any_more_is_closed(guarded: Guarded) -> None:
    """After an answer like before the first request: within Hypercorn's five seconds."""
    host, port = guarded.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"".join(iter(partial(idle.recv, 4096), b"")).startswith(b"HTTP/1.1 200")


def test_a_preflight_needs_no_key(guarded: Guarded) -> None:
    """The friend's page is told what it may send and what it may read; the request that follows needs a key."""
    friend = {"Origin": "http://friend.example"}
    asking = {
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, x-api-key, if-match",
    }
    with guarded.client() as client:
        preflight = client.options("/api/keys", headers=friend | asking)
        assert preflight.status_code == 200
        allowed = preflight.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in ("authorization", "x-api-key", "if-match"))
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        refused = client.get("/api/status", headers=friend)
        problem(refused, 401)
        # A page can only read why it was refused when it is told so.
        assert refused.headers["access-control-allow-origin"] == friend["Origin"]
        exposed = refused.headers["access-control-expose-headers"]
        assert all(name in exposed for name in ("ETag", "Location", "Retry-After"))
        assert client.options("/api/status", headers={"Origin": friend["Origin"]}).status_code == 401
