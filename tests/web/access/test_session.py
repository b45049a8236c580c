"""The dashboard's session: a cookie instead of the key, which ends with it, and which strangers cannot ride."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx
import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .conftest import ADMIN_KEY, PROXY, Guarded, problem

STRANGER = "http://evil.example"


@contextmanager
def logged_in(guarded: Guarded, key: str) -> Iterator[httpx.Client]:
    """A client that holds nothing but the cookie."""
    guarded.shown.add(key)
    with guarded.client() as client:
        answer = client.post("/api/session", json={"key": key})
        assert answer.status_code == 200, answer.text
        yield client


def cookie_header(client: httpx.Client) -> str:
    """The cookie as a header."""
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def test_a_login_gives_a_cookie_that_is_not_the_key(guarded: Guarded) -> None:
    """HttpOnly, SameSite=Strict, not the key; Secure where the client came over https."""
    with guarded.client() as client:
        answer = client.post("/api/session", json={"key": ADMIN_KEY})
        assert (answer.status_code, answer.json()["scope"]) == (200, "admin")
        said = answer.headers["set-cookie"]
        assert "HttpOnly" in said
        assert "SameSite=Strict" in said
        assert "Secure" not in said
        assert ADMIN_KEY not in said + answer.text
        assert client.get("/api/status").status_code == 200
        assert client.get("/api/session").json() == {"scope": "admin", "name": "first key", "key_id": 0}
    with guarded.client(source=PROXY) as client:
        answer = client.post("/api/session", json={"key": ADMIN_KEY}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in answer.headers["set-cookie"]


def test_a_logout_ends_the_session(guarded: Guarded) -> None:
    """For whoever kept a copy of the cookie, too."""
    with logged_in(guarded, guarded.keys["read"]) as client:
        kept = cookie_header(client)
        assert client.delete("/api/session").status_code == 204
        assert not client.cookies
        problem(client.get("/api/status"), 401)
        problem(client.get("/api/status", headers={"Cookie": kept}), 401)
        assert client.delete("/api/session").status_code == 204


def test_a_session_may_what_its_key_may_and_ends_with_it(guarded: Guarded) -> None:
    """Revoking the key is enough."""
    made = guarded.new_key(scope="read")
    with logged_in(guarded, made["key"]) as client:
        assert client.get("/api/status").status_code == 200
        problem(client.post("/ws/test"), 403)
        with guarded.client(ADMIN_KEY) as admin:
            admin.delete(f"/api/keys/{made['id']}")
        problem(client.get("/api/status"), 401)


@pytest.mark.parametrize("cookie", ["", "nonsense", "0.99999999999.AAAAAAAAAAAAAAAAAAAAAA." + "0" * 64])
def test_a_made_up_cookie_is_none(guarded: Guarded, cookie: str) -> None:
    """It neither opens anything nor counts as a wrong key."""
    with logged_in(guarded, guarded.keys["read"]) as client:
        name, real = next(iter(client.cookies.items()))
        changed = real.replace(".", ".9", 1)  # a longer life
        client.cookies.clear()
        for _ in range(10):
            for value in (cookie, changed, "1" + real):
                problem(client.get("/api/status", headers={"Cookie": f"{name}={value}"}), 401)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://friend.example", "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Origin": STRANGER}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_a_strangers_page_cannot_ride_on_the_cookie(guarded: Guarded, headers: dict[str, str], status: int) -> None:
    """A browser tells who asks; a program tells nothing and was not tricked."""
    with logged_in(guarded, guarded.keys["write"]) as client:
        answer = client.post("/ws/test", headers=headers)
        if status == 200:
            assert answer.status_code == 200
        else:
            problem(answer, 403)
        own = {"Origin": guarded.address, "Sec-Fetch-Site": "same-origin"}
        assert client.post("/ws/test", headers=own).status_code == 200


def test_a_socket_opens_with_the_cookie(guarded: Guarded) -> None:
    """From our own page; not from a stranger's."""
    with logged_in(guarded, guarded.keys["read"]) as client:
        headers = {"Cookie": cookie_header(client)}
        with websockets.sync.client.connect(
            guarded.socket_url(), additional_headers=headers, origin=websockets.Origin(guarded.address)
        ) as socket:
            socket.send('{"op": "ping", "id": 1}')
            assert "pong" in str(socket.recv(timeout=5))
        with pytest.raises(InvalidStatus) as refused:
            websockets.sync.client.connect(
                guarded.socket_url(), additional_headers=headers, origin=websockets.Origin(STRANGER)
            )
        assert refused.value.response.status_code == 403


def test_sockets_of_a_session_end_with_it(guarded: Guarded) -> None:
    """Logging out closes what that session had opened, with 1008; another session of the same key stays."""
    with logged_in(guarded, guarded.keys["read"]) as client, logged_in(guarded, guarded.keys["read"]) as other:
        url, origin = guarded.socket_url(), websockets.Origin(guarded.address)
        ending = websockets.sync.client.connect(
            url, additional_headers={"Cookie": cookie_header(client)}, origin=origin, max_size=None
        )
        staying = websockets.sync.client.connect(
            url, additional_headers={"Cookie": cookie_header(other)}, origin=origin, max_size=None
        )
        with ending, staying:
            assert client.delete("/api/session").status_code == 204
            with pytest.raises(ConnectionClosed) as closed:
                deque(iter(partial(ending.recv, timeout=5), None), maxlen=0)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "the session is over")
            staying.send('{"op": "ping", "id": 1}')
            assert "pong" in str(staying.recv(timeout=5))


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 401), (b"{}", 401), (b"{", 400), (b'{"key": 5}', 422), (b"\xff", 400), (b" " * 9000, 413)],
)
def test_a_bad_login_says_why(guarded: Guarded, body: bytes, status: int) -> None:
    """A login is a JSON object with a key; in a header it may be, too."""
    with guarded.client() as client:
        problem(client.post("/api/session", content=body), status)
        assert client.post("/api/session", headers={"X-API-Key": ADMIN_KEY}).status_code == 200


HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_a_browser_without_a_session_is_led_to_the_login_and_back(guarded: Guarded, page: str) -> None:
    """Programs get their 401, which says where the first key is; only these pages are led to."""
    with guarded.client(follow_redirects=False) as browser:
        browser.headers.update(HTML)
        led = browser.get(page)
        assert (led.status_code, led.headers["location"]) == (303, f"/dashboard?next={page}")
        assert "frame-ancestors 'none'" in led.headers["content-security-policy"]
        problem(browser.get("/api/status"), 401)
        problem(browser.get("/docs/assets/docs.js"), 401)
        problem(browser.post(page), 401)
        problem(browser.get(page, headers={"Authorization": "Bearer nonsense"}), 401)
        script = browser.get("/dashboard/session.js").text
    assert 'PAGES = ["/docs", "/redoc"]' in script
    assert "PAGES.includes(wanted)" in script
    with guarded.client(follow_redirects=False) as program:
        refused = problem(program.get(page), 401)
    for where in ("ETL_ADMIN_KEY", "admin.key", "etl-actors keys create"):
        assert where in refused["detail"]
    with logged_in(guarded, guarded.keys["read"]) as client:
        assert client.get(page, headers=HTML).status_code == 200
