"""``/docs`` and ``/redoc`` on a machine without internet."""

from __future__ import annotations

from typing import Any

from ..web.started import Started
from .page import Page

HEALTHZ = "#operations-health-health_healthz"


def described(service: Started) -> Any:
    """The OpenAPI document."""
    with service.client() as client:
        return client.get("/openapi.json").json()


def settled(page: Page) -> None:
    """Nothing to complain about, and nobody asked but the service."""
    assert page.complaints() == []
    assert any(url.endswith("/openapi.json") for url in page.asked())
    assert page.strangers_asked() == []


def test_the_api_is_tried_out_without_internet(page: Page, service: Started) -> None:
    """Every operation is drawn; one that is executed shows what the service answers."""
    page.open(f"{service.address}/docs")
    operations = sum(len(path) for path in described(service)["paths"].values())
    page.until("return document.querySelectorAll('.opblock').length", operations.__eq__)
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        page.until(f"return document.querySelector('{HEALTHZ} {button}')")
        page.run(f"document.querySelector('{HEALTHZ} {button}').click()")
    answer = page.shows(f"{HEALTHZ} .live-responses-table", lambda text: "Response body" in text)
    assert '"status": "ok"' in answer
    settled(page)


def test_the_api_is_read_without_internet(page: Page, service: Started) -> None:
    """Every chapter is listed, and who made the page is named, with no picture from elsewhere."""
    page.open(f"{service.address}/redoc")
    document = described(service)
    links = "return [...document.querySelectorAll('#redoc a')].map((link) => link.getAttribute('href'))"
    chapters = {f"#/{tag['name']}" for tag in document["tags"]}
    page.until(links, lambda found: chapters <= set(found))
    assert document["info"]["title"] in page.shows("#redoc", lambda text: "/api/status" in text)
    # The logo is drawn in a second step.
    page.until("return document.querySelector('img[alt=\"redocly logo\"]')")
    settled(page)
