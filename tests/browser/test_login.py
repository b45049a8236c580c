"""Where keys are asked for: the dashboard asks once, and the browser shows its cookie from then on."""

from __future__ import annotations

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ..web.started import Started
from .page import Page
from .services import ADMIN_KEY

CLOSED = 2
VISIBLE = "return document.querySelector('{}').checkVisibility()"


def type_key(page: Page, key: str) -> None:
    """Into the field that has the cursor, as soon as there is one; and Enter."""
    page.until(VISIBLE.format("#login"))
    page.driver.switch_to.active_element.send_keys(key, Keys.ENTER)


def log_in(page: Page, running: Started, path: str = "/dashboard") -> None:
    """Open a page and show the key that it asks for."""
    page.open(running.address + path)
    type_key(page, ADMIN_KEY)


def test_a_wrong_key_is_refused_with_advice(page: Page, guarded: Started) -> None:
    """It says what is wrong and where a right one is; the right one is then taken."""
    page.open(f"{guarded.address}/dashboard")
    type_key(page, "etl_this-is-not-one-of-our-keys")
    assert "key" in page.shows("#refusal")
    assert "admin.key" in page.text("#login")
    assert page.run(VISIBLE.format("#login"))
    assert not page.run(VISIBLE.format("#page"))
    assert page.run("return document.getElementById('key').value") == ""
    assert page.driver.get_cookies() == []
    type_key(page, ADMIN_KEY)
    page.shows("#live", "live".__eq__)


def test_a_key_opens_the_dashboard_and_leaves_a_cookie(page: Page, guarded: Started) -> None:
    """One that no script can read, no other site can use, and that is not the key; then everything lives."""
    log_in(page, guarded)
    page.shows("#live", "live".__eq__)
    page.shows("#connectors", lambda text: "running" in text)
    page.shows("#prices", lambda text: "BTC/USDT" in text)
    assert not page.run(VISIBLE.format("#login"))
    (cookie,) = page.driver.get_cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/")
    assert ADMIN_KEY not in str(cookie)
    assert page.run("return document.cookie") == ""
    assert page.run("return localStorage.length + sessionStorage.length") == 0
    assert not [url for url in page.asked() if ADMIN_KEY in url]
    assert page.strangers_asked() == []
    # Only the question whether a key is needed was answered with a refusal, which every browser notes.
    assert [said for said in page.complaints() if "/api/session" not in said] == []


def test_the_cookie_opens_socket_and_stream_until_logout(page: Page, guarded: Started) -> None:
    """A page that was never told the key hears everything; when another tab logs out, it hears no more."""
    log_in(page, guarded)
    page.shows("#live", "live".__eq__)
    dashboard = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    listening = page.driver.current_window_handle
    page.open(f"{guarded.address}/docs")
    socket, stream = page.socket("/ws"), page.stream("/api/stream")
    socket.until_heard(lambda heard: any(one["type"] == "price_update" for one in heard))
    stream.until_heard(lambda heard: any(one["event"]["type"] == "price_update" for one in heard))
    page.driver.switch_to.window(dashboard)
    page.driver.find_element(By.ID, "logout").click()
    page.until(VISIBLE.format("#login"))
    assert page.driver.get_cookies() == []
    page.driver.switch_to.window(listening)
    closed = socket.until_it_is("closed")
    assert (closed["code"], closed["reason"]) == (1008, "the session is over")
    # It comes back as always, without the cookie, and is refused for good.
    stream.until_it_is("source.readyState", CLOSED.__eq__)
    again = page.socket("/ws")
    again.until_it_is("closed")
    assert again.tell("opened") == 0


def test_a_page_without_cookie_shows_its_key_as_a_subprotocol(page: Page, guarded: Started) -> None:
    """A script can give a socket no header; what is answered is not the key."""
    page.open(f"{guarded.address}/dashboard")
    socket = page.socket("/ws", "etl-actors", f"etl-actors.key.{ADMIN_KEY}")
    socket.until_heard(lambda heard: any(one["type"] == "price_update" for one in heard))
    assert socket.tell("source.protocol") == "etl-actors"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_a_page_that_needs_a_key_is_shown_after_the_login(page: Page, guarded: Started, path: str) -> None:
    """The login leads back to where somebody wanted to go."""
    log_in(page, guarded, path)
    page.until("return location.pathname", path.__eq__)
    page.until("return document.body.innerText", lambda text: "/api/data/items" in text)
