"""Which hosts a connector talks to: what its secrets are bound to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def destination(document: dict[str, Any]) -> str:
    """Scheme, host and port of every url of a connector's document; ``https://a.example:443 https://b.example:443``."""
    auth = document.get("auth")
    token_url = auth.get("token_url") if isinstance(auth, dict) else None
    return " ".join(_origin(str(url)) for url in (document.get("url"), token_url) if url)


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 0)}"
    except ValueError:
        return url
