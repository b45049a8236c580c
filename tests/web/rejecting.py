"""A connector of which something is rejected, and what a problem looks like."""

from __future__ import annotations

import json
from typing import Any

import httpx

from .origin_server import Provider
from .test_connectors import until

SERVICE = "[security]\nallow_private_targets = true\n[server]\ndrain_seconds = 5\n"
STRICT = {"coin_symbol": "s", "price": "p"}
# Takes a price that is spelled "n/a" for none.
LENIENT = {"coin_symbol": "s", "price": "p != 'n/a' && p || null"}
GOOD, BAD = {"s": "BTC", "p": "1.50"}, {"s": "ETH", "p": "n/a"}


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document that is answered with this status."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    return dict(response.json())


class Rejecting:
    """A connector whose provider answers ``body`` once, an empty list ever after."""

    def __init__(self, client: httpx.Client, provider: Provider, connector_id: str, body: Any, **settings: Any) -> None:
        self.client = client
        self.id = connector_id
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        provider.answer = lambda asked: (200, raw if len(provider.asked) == 1 else b"[]")
        self.document = {"connector_id": connector_id, "url": provider.url, "interval_seconds": 3600, "items": STRICT}
        self.document |= settings
        made = client.post("/api/connectors", json=self.document)
        assert made.status_code == 201, made.text
        until(lambda: self.rejected())

    def rejected(self, **params: Any) -> list[dict[str, Any]]:
        """What is rejected of it, newest first."""
        answer = self.client.get("/api/rejected", params={"connector_id": self.id, "limit": 10_000, **params})
        assert answer.status_code == 200
        return list(answer.json()["rejected"])

    def mend(self, mapping: dict[str, Any] | None = None) -> None:
        """Another mapping for it."""
        document = self.document | {"items": mapping or LENIENT}
        assert self.client.put(f"/api/connectors/{self.id}", json=document).status_code == 200
