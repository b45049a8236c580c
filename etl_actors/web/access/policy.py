"""What was decided about access when the service started."""

from __future__ import annotations

from msgspec import Struct

from ..ports import Doorkeeper, KeyStore


class AccessPolicy(Struct, frozen=True, kw_only=True):
    """Who is asked for keys, who knows them, and how much a client may ask.

    ``listened_host`` is the host the service was told to listen on. ``session_secret`` signs the cookie.
    """

    doorkeeper: Doorkeeper
    keys: KeyStore
    keys_required: bool
    listened_host: str
    session_secret: bytes
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    failed_keys_per_minute: int = 30
    requests_per_minute: int = 0
