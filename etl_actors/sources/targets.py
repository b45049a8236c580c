"""Where a url leads, as far as its text tells, and whether a caller over REST may be taken there. Pure.

The url is read by httpx, which is also what dials it, so that no two readers can disagree about the host.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Collection

import httpx

from .public_addresses import why_not_public

Allowed = Callable[[str], bool]

WEB = ("http", "https")
WHO = (
    "connectors and extracts of a REST caller reach public addresses only"
    " (allow_private_targets under [security] in service.toml of the config folder)"
)
_NAME = re.compile(r"(?=.{1,253}\Z)(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*", re.DOTALL)
# What the system's resolver reads as an IPv4 address in one of its old spellings: 2130706433, 0x7f.1, 127.1
_NUMERIC = re.compile(r"(?:.*\.)?(?:0[xX][0-9A-Fa-f]*|[0-9]+)", re.DOTALL)
# Ports of mail, shells and the like, which no web server uses and browsers refuse (the Fetch standard's "bad ports"): a
# request sent there speaks to something that is not HTTP.
# One a line they would hide the file.
# fmt: off
_NOT_OF_THE_WEB = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530,
    531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})
# fmt: on


def nowhere_else(_address: str) -> bool:
    """Allows no address beyond the public ones."""
    return False


def target_mistake(
    url: str | httpx.URL, *, schemes: Collection[str] = WEB, allowed: Allowed = nowhere_else
) -> str | None:
    """Why a REST caller may not have ``url`` fetched, in one sentence; None when its text gives no reason.

    A name may still lead to an address that is refused: that is found out, for every connection anew, when it is
    resolved. ``allowed`` lets addresses pass that are not public.
    """
    try:
        target = httpx.URL(url)
        host, port = target.raw_host.decode("ascii"), target.port
    except (httpx.InvalidURL, ValueError, TypeError):
        return "this is not a url"
    if target.scheme not in schemes:
        return f"a url that begins with {' or '.join(f'{scheme}://' for scheme in schemes)} is needed"
    if not host:
        return "this url names no host"
    if port is not None and not 0 <= port <= 65_535:
        return "there is no such port"
    if port in _NOT_OF_THE_WEB:
        return f"port {port} is not one that web servers use"
    return _host_mistake(host, allowed)


def address_mistake(address: str, allowed: Allowed) -> str | None:
    """What ``address`` is when it is not public and not ``allowed``."""
    kind = why_not_public(address)
    return None if kind is None or allowed(address) else kind


def _host_mistake(host: str, allowed: Allowed) -> str | None:
    # httpx takes the brackets off an IPv6 address.
    name = host.removesuffix(".")
    address = name if ":" in name else _as_ipv4(name)
    if address is None and _NUMERIC.fullmatch(name):
        return f"{_shown(host)} is no IPv4 address"
    if address is None:
        lowered = name.lower()
        if lowered == "localhost" or lowered.endswith(".localhost"):
            return f"{_shown(host)} is this machine itself; {WHO}"
        return None if _NAME.fullmatch(name) else f"{_shown(host)} is no name of a host"
    try:
        kind = address_mistake(address, allowed)
    except ValueError:
        return f"{_shown(host)} is no IPv6 address"
    return None if kind is None else f"{_shown(host)} is {kind}; {WHO}"


def _as_ipv4(name: str) -> str | None:
    """The address that ``name`` spells, the way the system's resolver reads it."""
    if not _NUMERIC.fullmatch(name):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except OSError:
        return None


def _shown(host: str) -> str:
    return host if len(host) <= 100 else f"{host[:99]}…"
