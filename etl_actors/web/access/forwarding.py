"""What a proxy in front of the service tells about the client: believed from those who are trusted, else refused.

A forwarded header that anybody may send is a way to be somebody else, so it is not quietly ignored: a proxy that was
forgotten in ``[server] trusted_proxies`` shows at its first request. Works on the ASGI scope, so that everything behind
sees the client's own address, scheme and host.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import Any

from msgspec import Struct

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
MOST_HOPS = 50

_SCHEMES = frozenset({"http", "https", "ws", "wss"})
_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_PAIR = re.compile(r'\s*([A-Za-z0-9!#$%&\'*+.^_`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]*))\s*')


class NotForwarded(ValueError):
    """The forwarded headers cannot be honoured; the text says why."""


class Told(Struct, kw_only=True):
    """What the headers say, the hop nearest to us last. ``scheme`` and ``host`` are None where they say nothing."""

    hops: list[str] = []
    scheme: str | None = None
    host: str | None = None


class Forwarding:
    """Honours forwarded headers of ``trusted``: addresses and networks."""

    def __init__(self, trusted: Collection[str]) -> None:
        self._trusted = [ipaddress.ip_network(one) for one in trusted]

    def honour(self, scope: dict[str, Any]) -> None:
        """Change client, scheme and host of an ASGI scope to what its headers tell. Raises :class:`NotForwarded`."""
        named = _forwarded_headers(scope["headers"])
        if not named:
            return
        peer = plain_address((scope.get("client") or ("", 0))[0])
        if peer is None or not self._trusts(peer):
            raise NotForwarded(
                f"{', '.join(sorted(named))}: {peer} may not send forwarded headers;"
                " [server] trusted_proxies lists who may"
            )
        told = _read(named)
        scope["client"] = (str(self._client(peer, told.hops)), 0)
        if told.scheme is not None:
            secure = told.scheme in {"https", "wss"}
            plain = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
            scope["scheme"] = plain[secure]
        if told.host is not None:
            others = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
            scope["headers"] = [*others, (b"host", told.host.encode("ascii"))]

    def _trusts(self, address: IpAddress) -> bool:
        return any(address in network for network in self._trusted)

    def _client(self, peer: IpAddress, hops: list[str]) -> IpAddress:
        """The nearest address that is not one of ours: what lies beyond it anybody may have written."""
        client = peer
        for hop in reversed(hops):
            address = _hop_address(hop)
            if address is None:
                return client  # "unknown" or a name of the proxy's own: nearer than this nobody is known
            client = address
            if not self._trusts(address):
                return client
        return client


def plain_address(text: str) -> IpAddress | None:
    """An address, an IPv4 one even where it came in through an IPv6 socket; None when it is none."""
    try:
        address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _forwarded_headers(headers: Collection[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in small letters; several of one name are joined, as HTTP has it."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin1").lower()
        if name == "forwarded" or name.startswith("x-forwarded-"):
            value = raw_value.decode("latin1")
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _read(named: dict[str, str]) -> Told:
    if "forwarded" in named and len(named) > 1:
        raise NotForwarded("Forwarded and X-Forwarded-… at once: let the proxy send one kind and remove the other")
    told = _read_standard(named["forwarded"]) if "forwarded" in named else _read_customary(named)
    if told.scheme is not None and told.scheme not in _SCHEMES:
        raise NotForwarded("the forwarded protocol is neither http nor https")
    if told.host is not None and not _HOST.fullmatch(told.host):
        raise NotForwarded("the forwarded host is no host")
    if len(told.hops) > MOST_HOPS:
        raise NotForwarded(f"more than {MOST_HOPS} hops")
    return told


def _read_customary(named: dict[str, str]) -> Told:
    def last(name: str) -> str | None:
        return named[name].split(",")[-1].strip() or None if name in named else None

    scheme = last("x-forwarded-proto")
    return Told(
        hops=[hop.strip() for hop in named.get("x-forwarded-for", "").split(",") if hop.strip()],
        scheme=scheme.lower() if scheme else None,
        host=last("x-forwarded-host"),
    )


def _read_standard(value: str) -> Told:
    """RFC 7239: ``for=192.0.2.60;proto=https;host=example.org, for="[2001:db8::1]:4711"``."""
    told = Told(hops=[])
    for element in _split(value, ","):
        pairs = {}
        for part in _split(element, ";"):
            match = _PAIR.fullmatch(part)
            if match is None:
                raise NotForwarded("Forwarded cannot be read: RFC 7239 has for=…;proto=…;host=…")
            quoted = match[2]
            pairs[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        told.hops.append(pairs.get("for", "unknown"))
        told.scheme = pairs["proto"].lower() if "proto" in pairs else None
        told.host = pairs.get("host")
    return told


def _split(text: str, separator: str) -> list[str]:
    """At ``separator`` outside of quotes; empty pieces are left out."""
    pieces, quoted, escaped = [""], False, False
    for letter in text:
        if letter == separator and not quoted:
            pieces.append("")
            continue
        pieces[-1] += letter
        quoted = quoted != (letter == '"' and not escaped)
        escaped = quoted and letter == "\\" and not escaped
    return [piece for piece in pieces if piece.strip()]


def _hop_address(hop: str) -> IpAddress | None:
    """The address of a hop, which may have a port. Raises :class:`NotForwarded` for what is none."""
    if hop == "unknown" or hop.startswith("_"):
        return None
    text = hop
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    address = plain_address(text)
    if address is None:
        raise NotForwarded("the forwarded client is no address")
    return address
