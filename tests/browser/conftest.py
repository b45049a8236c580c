"""One browser for the whole folder, a new tab for each test; two services, one of which asks for keys."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome

from ..web.started import Started
from .chromium import NoBrowser, chromium
from .page import Page
from .services import KEYS, ForeignSite, feed, foreign_site, sandbox_process


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """The browser. Where there is none the tests are left out, but not where everything has to be shown."""
    try:
        with chromium(tmp_path_factory.mktemp("browser") / "profile") as opened:
            yield opened
    except NoBrowser as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture
def page(browser: Chrome) -> Iterator[Page]:
    """A new tab of a browser that knows nobody; closed at the end."""
    first = browser.current_window_handle
    browser.execute_cdp_cmd("Storage.clearCookies", {})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.switch_to.new_window("tab")
    yield Page(browser)
    for handle in browser.window_handles:
        if handle != first:
            browser.switch_to.window(handle)
            browser.close()
    browser.switch_to.window(first)


@pytest.fixture(scope="package")
def origins() -> Iterator[dict[str, str]]:
    """Where the providers are."""
    with sandbox_process() as started_origins:
        yield started_origins


@pytest.fixture(scope="package")
def elsewhere() -> Iterator[ForeignSite]:
    """Pages of others."""
    with foreign_site() as site:
        yield site


@pytest.fixture(scope="package")
def service(browser: Chrome, origins: dict[str, str], elsewhere: ForeignSite) -> Iterator[Started]:
    """A service on loopback, which asks nobody for a key."""
    with feed(origins, elsewhere.friend) as running:
        yield running


@pytest.fixture(scope="package")
def guarded(browser: Chrome, origins: dict[str, str], elsewhere: ForeignSite) -> Iterator[Started]:
    """A service that asks everybody for a key."""
    with feed(origins, elsewhere.friend, security=KEYS) as running:
        yield running
