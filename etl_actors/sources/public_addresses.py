"""Which addresses belong to the public internet, and what the others are. Pure.

The lists are written out from IANA's registries of special-purpose addresses, because what the standard library calls
global differs from one Python to the next (and counts multicast in). IPv6 is the other way round: only what is handed
out to networks, 2000::/3, can be public at all, less what is reserved inside it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

_NOT_PUBLIC_4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address inside a provider's network"),
        ("127.0.0.0/8", "a loopback address"),
        ("168.63.129.16/32", "a metadata address of a cloud"),
        ("169.254.0.0/16", "a link-local address"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "an address for documentation"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("198.51.100.0/24", "an address for documentation"),
        ("203.0.113.0/24", "an address for documentation"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
_HANDED_OUT_6 = IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "an unspecified address"),
        ("::1/128", "a loopback address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "a reserved address"),  # Teredo and benchmarks among them
        ("2001:db8::/32", "an address for documentation"),
        ("2002::/16", "a tunnel to an IPv4 address"),
        ("3fff::/20", "an address for documentation"),
    )
)
# Where DNS64 puts IPv4 addresses, so that a machine with IPv6 only reaches them: public when they are.
_NAT64 = IPv6Network("64:ff9b::/96")


def why_not_public(text: str) -> str | None:
    """What the address ``text`` is ("a loopback address"), or None when it is public; ValueError when it is none."""
    if "%" in text:
        return "a link-local address"
    return _why(ip_address(text))


def _why(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _NOT_PUBLIC_4 if address in network), None)
    embedded = address.ipv4_mapped
    if embedded is None and address in _NAT64:
        embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
    if embedded is not None:
        return _why(embedded)
    found = next((kind for network, kind in _NOT_PUBLIC_6 if address in network), None)
    return found or (None if address in _HANDED_OUT_6 else "a reserved address")
