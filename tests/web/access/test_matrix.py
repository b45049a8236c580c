"""Every route of the application against every kind of caller, so that a new route cannot be forgotten."""

from __future__ import annotations

import inspect
import re
from typing import Any

import httpx
import pytest

from etl_actors.web.access import AccessPolicy
from etl_actors.web.access.rules import need_of
from etl_actors.web.app import create_app

from .conftest import Guarded, problem

OPEN = {
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/dashboard"),
    ("GET", "/dashboard/<path:name>"),
    ("POST", "/api/session"),
    ("DELETE", "/api/session"),
}
SCOPES = ("read", "write", "admin")


class Anything:
    """Stands for what the views use; no view runs here."""

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return Anything()

    def __iter__(self) -> Any:
        return iter(())


def application() -> Any:
    """The application, to read its routes from."""
    given: dict[str, Any] = {name: Anything() for name in inspect.signature(create_app).parameters}
    given["access"] = AccessPolicy(
        doorkeeper=Anything(), keys=Anything(), keys_required=True, listened_host="127.0.0.1", session_secret=b"x" * 32
    )
    return create_app(**given)


def routes() -> list[tuple[str, str]]:
    """``(method, rule)`` of every route but sockets."""
    found = {
        (method, rule.rule)
        for rule in application().url_map.iter_rules()
        if not rule.websocket
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    return sorted(found)


def example(rule: str) -> str:
    """A path that the rule fits, of something that is not there."""
    return re.sub(r"<[^>]*>", "999999999", rule)


def test_there_are_routes_to_ask() -> None:
    """And what is open is exactly what is meant to be."""
    found = set(routes())
    assert len(found) > 20
    assert {route for route in found if need_of(route[1], route[0]) == "nothing"} == OPEN


@pytest.mark.parametrize(("method", "rule"), routes())
def test_a_route_asks_for_its_scope(guarded: Guarded, method: str, rule: str) -> None:
    """Nobody: 401. A smaller scope: 403. The scope and those above it pass the gate, as does HEAD what GET does."""
    need = need_of(rule, method)
    path = example(rule)
    with guarded.client() as nobody:
        refused = nobody.request(method, path)
        assert (refused.status_code == 401) == (need != "nothing" or (method, rule) == ("POST", "/api/session"))
        if need == "nothing":
            return
        assert problem(refused, 401)
        assert refused.headers["www-authenticate"].startswith("Bearer ")
        if method == "GET":
            assert nobody.head(path).status_code == 401
    for scope in SCOPES:
        # A stream that is let in has no end.
        with guarded.client(guarded.keys[scope]) as client, client.stream(method, path) as answer:
            if answer.status_code != 200:
                answer.read()
        if SCOPES.index(scope) < SCOPES.index(need):
            assert repr(need) in problem(answer, 403)["detail"]
            assert f'scope="{need}"' in answer.headers["www-authenticate"]
        else:
            assert answer.status_code not in {401, 403, 500}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_what_is_no_route_asks_for_a_key_too(guarded: Guarded, method: str) -> None:
    """Whoever has none does not learn what there is; unknown paths and methods need the scope of their method."""
    for path in ("/api/nowhere", "/healthz/secret", "/docs/../api/status", "//api/status", "/api/status/"):
        with guarded.client(follow_redirects=False) as nobody:
            assert problem(nobody.request(method, path), 401)
    with guarded.client(guarded.keys["read"]) as reader:
        expected = 403 if method in {"POST", "PUT", "PATCH", "DELETE"} else 404
        if method != "OPTIONS":
            problem(reader.request(method, "/api/nowhere"), expected)


def test_a_route_that_nobody_declared_needs_a_key_by_its_method() -> None:
    """The rules are closed by default."""
    assert [need_of("/api/brand/new", method) for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")] == [
        "read", "read", "write", "write", "write", "write",
    ]  # fmt: skip
    assert need_of("/healthz", "POST") == "write"
    assert need_of("/metrics", "GET") == "read"
    assert need_of("/api/keys/<int:key_id>", "GET") == "admin"
    assert need_of("/api/keysmith", "GET") == "read"


def test_every_answer_tells_browsers_to_be_careful(guarded: Guarded) -> None:
    """Pages, data, errors and refused sockets; what a key holder sees is not for caches."""
    with guarded.client(guarded.keys["read"]) as client:
        answers = [client.get(path) for path in ("/", "/dashboard", "/api/status", "/api/nowhere")]
        answers.append(httpx.get(guarded.address + "/api/status"))
        answers.append(client.get("/ws", headers=UPGRADE))
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers
    page, status = answers[1], answers[2]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert status.headers["cache-control"] == "no-store"
    assert page.headers["cache-control"] == "no-cache"


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
    "Authorization": "Bearer nonsense",
}
