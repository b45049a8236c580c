"""A tab of the browser: what is on its page, what its console says, whom it asks, and what it hears of the feed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium.webdriver import Chrome

from .chromium import SECONDS

LISTENING = (Path(__file__).parent / "listening.js").read_text(encoding="utf-8")
PAUSE = 0.05


class Page:
    """One tab. ``address`` is the service that paths are paths of."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.address = ""
        self._names = count(1)
        self._asked: list[str] = []

    def open(self, url: str) -> None:
        """Go to a page, and be ready to listen there."""
        self.driver.get(url)
        self.address = url[: -len(urlsplit(url).path)] if urlsplit(url).path else url
        self.run(LISTENING)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script that runs in the page returns."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, holds: Callable[[Any], Any] = bool, *, seconds: float = SECONDS) -> Any:
        """What the script returns as soon as ``holds`` is true of it."""
        deadline = time.monotonic() + seconds
        while not holds(answer := self.run(script)):
            assert time.monotonic() < deadline, (script, answer, self.complaints())
            time.sleep(PAUSE)
        return answer

    def text(self, selector: str) -> str:
        """What somebody reads there."""
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def shows(self, selector: str, holds: Callable[[str], Any] = bool) -> str:
        """What somebody reads there, as soon as ``holds`` is true of it."""
        return str(self.until(f"return document.querySelector({json.dumps(selector)})?.innerText ?? ''", holds))

    def complaints(self) -> list[str]:
        """The errors and warnings on the console since this was last asked."""
        logged = self.driver.get_log("browser")
        return [entry["message"] for entry in logged if entry["level"] in {"SEVERE", "WARNING"}]

    def asked(self) -> list[str]:
        """Every address the browser has asked for, over HTTP or as a socket, since this tab was opened."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self._asked.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self._asked.append(message["params"]["url"])
        return [url for url in self._asked if not url.startswith(("data:", "blob:"))]

    def strangers_asked(self) -> list[str]:
        """Those of them that are no address of the service."""
        host = urlsplit(self.address).netloc
        return [url for url in self.asked() if urlsplit(url).netloc != host]

    def socket(self, address: str, *protocols: str) -> Socket:
        """The page opens ``/ws``; a path is one of the page's own origin."""
        if address.startswith("/"):
            address = self.address.replace("http", "ws", 1) + address
        name = f"socket {next(self._names)}"
        self.run("keepSocket(...arguments)", name, address, list(protocols))
        return Socket(self, name)

    def stream(self, address: str, **options: Any) -> Kept:
        """The page opens ``/api/stream``."""
        name = f"stream {next(self._names)}"
        self.run("keepStream(...arguments)", name, address, options)
        return Kept(self, name)


class Kept:
    """Something that listens in a page."""

    def __init__(self, page: Page, name: str) -> None:
        self.page = page
        self.name = name

    def heard(self) -> list[Any]:
        """Everything it was sent."""
        heard: list[Any] = self.tell("heard")
        return heard

    def tell(self, what: str) -> Any:
        """What the page knows of it, now."""
        return self.page.run(f"return kept[arguments[0]].{what}", self.name)

    def until_heard(self, holds: Callable[[list[Any]], Any]) -> list[Any]:
        """Everything it was sent, as soon as ``holds`` is true of that."""
        heard: list[Any] = self.page.until(f"return kept[{json.dumps(self.name)}].heard", holds)
        return heard

    def until_it_is(self, what: str, holds: Callable[[Any], Any] = bool) -> Any:
        """What the page knows of it, as soon as ``holds`` is true of that."""
        return self.page.until(f"return kept[{json.dumps(self.name)}].{what}", holds)


class Socket(Kept):
    """A ``WebSocket``."""

    def say(self, message: Any) -> None:
        """Send a message: a text as it is, all else as JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        self.page.run("kept[arguments[0]].source.send(arguments[1])", self.name, text)

    def answer(self, message: dict[str, Any]) -> Any:
        """What a request is answered; its ``id`` must be new."""
        self.say(message)
        return next(
            one
            for one in self.until_heard(lambda heard: any(one.get("id") == message["id"] for one in heard))
            if one.get("id") == message["id"]
        )
