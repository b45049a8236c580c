"""``/dashboard`` as somebody sees it who opens it."""

from __future__ import annotations

from ..web.started import Started
from .page import Page

CONNECTORS = 8


def test_the_dashboard_lives(page: Page, service: Started) -> None:
    """Connectors and moving prices, with nothing to complain about and nobody asked but the service."""
    page.open(service.address)
    assert page.run("return location.pathname") == "/dashboard"
    page.shows("#live", "live".__eq__)
    page.until("return document.querySelectorAll('#connectors tr').length", lambda rows: rows >= CONNECTORS)
    page.shows("#connectors", lambda text: text.count("running") == CONNECTORS)
    prices = page.shows("#prices", lambda text: "BTC/USDT" in text and "ETH/USDT" in text)
    page.shows("#prices", lambda text: text != prices)
    offset = int(page.shows("#offset", str.isdigit))
    page.shows("#offset", lambda text: int(text) > offset)
    assert int(page.shows("#subscribers", str.isdigit)) >= 1
    assert not page.run("return document.getElementById('login').checkVisibility()")
    assert not page.run("return document.getElementById('logout').checkVisibility()")
    assert page.complaints() == []
    assert any(url.endswith("/ws") for url in page.asked())
    assert page.strangers_asked() == []


def test_a_dashboard_leads_where_its_links_say(page: Page, service: Started) -> None:
    """Each link of it shows something."""
    page.open(f"{service.address}/dashboard")
    links = page.run("return [...document.querySelectorAll('nav a')].map((link) => link.href)")
    assert len(links) >= 4
    for link in links:
        page.open(link)
        assert page.run("return performance.getEntriesByType('navigation')[0].responseStatus") == 200
        page.shows("body")
    assert page.complaints() == []
