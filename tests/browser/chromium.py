"""A Chromium without a window, and the driver that steers it: both as the distribution ships them, none downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DRIVER = "chromedriver"
SECONDS = 20
STRANGER = "stranger.example"
FRIEND = "friend.example"

FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Other sites are on this machine; further than that nothing gets, whatever a page asks for.
    f"--host-resolver-rules=MAP {STRANGER} 127.0.0.1, MAP {FRIEND} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1400,1000",
)


class NoBrowser(Exception):
    """This machine has none, or nothing to steer it with."""


def installed() -> tuple[str, str]:
    """Where the browser and its driver are; raises :class:`NoBrowser`."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which(DRIVER)
    if browser is None or driver is None:
        raise NoBrowser(
            "no browser to test with: Chromium and chromedriver are not both installed"
            " (on Debian: apt-get install chromium chromium-driver)"
        )
    return browser, driver


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """A browser with a new profile; it and its driver have ended when this does. Raises :class:`NoBrowser`."""
    browser, driver = installed()
    options = ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium's own does not work for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # With both paths named, Selenium does not look for any, which would ask the internet.
    opened = Chrome(options=options, service=ChromeService(executable_path=driver))
    try:
        opened.set_page_load_timeout(SECONDS)
        opened.set_script_timeout(SECONDS)
        yield opened
    finally:
        opened.quit()
