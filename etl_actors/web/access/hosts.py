"""Under which name the service is asked, where no key tells friends from strangers.

A page of a stranger can give its own name the address of this machine (DNS rebinding); its requests then look like our
own page's. What it cannot do is send another ``Host`` than that name. So a service that asks for no keys answers only
to the names it is known by.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # named to be told apart, nothing is bound here


class KnownHosts:
    """The names the service answers to without a key: this machine, where it listens, and its friends' pages'."""

    def __init__(self, listened_host: str, cors_origins: Collection[str]) -> None:
        names = {"localhost", listened_host.lower()}
        names |= {urlsplit(origin).hostname or "" for origin in cors_origins}
        self._names = names - {""}
        self._listens_anywhere = listened_host in ANYWHERE

    def knows(self, host: str) -> bool:
        """Whether ``host``, as in the header, is one of them. No header at all comes from no browser."""
        name = host_name(host)
        if name is None:
            return False
        if name == "" or name in self._names or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # No name was resolved to come by an address, so it cannot have been rebound.
        return address.is_loopback or self._listens_anywhere


def host_name(host: str) -> str | None:
    """The name in a ``Host`` header, without port and brackets, in small letters; None when it is none."""
    try:
        parts = urlsplit(f"//{host.strip()}")
        _ = parts.port
    except ValueError:
        return None
    if parts.netloc != host.strip() or "@" in host:
        return None
    return (parts.hostname or "").rstrip(".")
