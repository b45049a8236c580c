"""Pages of other sites: what a browser lets them try, the service refuses."""

from __future__ import annotations

import pytest

from ..web.started import Started
from .page import Page
from .services import ForeignSite
from .test_login import log_in

CLOSED = 2
ABNORMAL = 1006


def socket_url(running: Started) -> str:
    """Where ``/ws`` is."""
    return running.address.replace("http", "ws") + "/ws"


@pytest.mark.parametrize("who", ["neighbour", "stranger"])
def test_a_foreign_page_opens_no_socket(page: Page, service: Started, elsewhere: ForeignSite, who: str) -> None:
    """Not from another port of this machine, not from another site; and an event stream tells it nothing."""
    page.open(getattr(elsewhere, who) + "/")
    socket, stream = page.socket(socket_url(service)), page.stream(f"{service.address}/api/stream?since=0")
    assert socket.until_it_is("closed")["code"] == ABNORMAL
    stream.until_it_is("source.readyState", CLOSED.__eq__)
    assert (socket.tell("opened"), stream.tell("opened")) == (0, 0)
    assert (socket.heard(), stream.heard()) == ([], [])
    complaints = page.complaints()
    assert any("/ws' failed" in said and "response code: 403" in said for said in complaints), complaints
    assert any("/api/stream" in said and "CORS" in said for said in complaints), complaints


def test_a_friends_page_hears_everything(page: Page, service: Started, elsewhere: ForeignSite) -> None:
    """A page that ``cors_origins`` names, on a site of its own."""
    page.open(elsewhere.friend + "/")
    socket, stream = page.socket(socket_url(service)), page.stream(f"{service.address}/api/stream")
    for one in (socket, stream):
        one.until_heard(bool)
    assert page.complaints() == []


def test_a_cookie_carries_no_foreign_page_in(page: Page, guarded: Started, elsewhere: ForeignSite) -> None:
    """To a neighbour's requests the browser adds it, since ports are one site; they are refused all the same."""
    log_in(page, guarded)
    page.shows("#live", "live".__eq__)
    own = page.socket("/ws?types=canary,test")
    own.until_it_is("opened")
    window = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open(elsewhere.neighbour + "/")
    socket = page.socket(socket_url(guarded))
    stream = page.stream(f"{guarded.address}/api/stream", withCredentials=True)
    assert socket.until_it_is("closed")["code"] == ABNORMAL
    stream.until_it_is("source.readyState", CLOSED.__eq__)
    post = "{method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}'}"
    page.run(f"return fetch(arguments[0], {post}).catch(() => {{}})", f"{guarded.address}/ws/test")
    assert (socket.heard(), stream.heard()) == ([], [])
    complaints = page.complaints()
    assert any("/ws' failed" in said and "response code: 403" in said for said in complaints), complaints
    page.driver.switch_to.window(window)
    assert own.answer({"op": "ping", "id": 1})["type"] == "pong"
    assert [one["type"] for one in own.heard()] == ["pong"]
