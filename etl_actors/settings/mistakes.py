"""What a schema cannot see: values that are of the right type and still cannot work, as ``(key, reason)``.

No reason repeats a value that may be a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

from msgspec.structs import replace

from .connector import (
    RESERVED_IDS,
    ApiKeyAuth,
    BasicAuth,
    BearerAuth,
    ConnectorSettings,
    HmacAuth,
    NoAuth,
    OAuth2Auth,
)
from .paging_mistakes import paging_mistakes
from .sequence_mistakes import sequence_mistakes
from .service import ServiceSettings
from .stream_mistakes import stream_mistakes

# What servers take.
LONGEST_URL = 8_192

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What can be sent at all: ASCII, and no white space around it.
_HEADER_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?")
_NOT_A_HEADER = "a header holds one line of visible ASCII characters, without spaces around it"
# What a provider can read from a header: ASCII, and no white space around it.
_CREDENTIAL = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?")
_NOT_A_CREDENTIAL = "a header holds one line of visible ASCII characters; is there a newline in it?"
_TOKEN_URL = re.compile(r"https?://[^/?#\s]", re.IGNORECASE)
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@]+")
_SCHEMES = {"rest": ("http", "https"), "websocket": ("ws", "wss"), "replay": ("file", "http", "https", "")}


def service_mistakes(service: ServiceSettings) -> list[tuple[str, str]]:
    """What the schema alone cannot see, as ``(key, reason)``."""
    found = []
    database = service.database
    if database.min_connections > database.max_connections:
        most = database.max_connections
        found.append(("database.min_connections", f"{database.min_connections} are more than max_connections = {most}"))
    for index, text in enumerate(service.server.trusted_proxies):
        if not _is_network(text):
            place = f"server.trusted_proxies[{index}]"
            found.append((place, f"{text!r} is no address or network, such as 10.0.0.7 or 10.0.0.0/8"))
    for index, origin in enumerate(service.server.cors_origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            place = f"server.cors_origins[{index}]"
            found.append((place, f"{origin!r} is no origin, such as https://app.example.org, without a path"))
    return found


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


# Which other keys a verdict on a key goes by: while one of them is wrong, there is none.
_GOES_BY = {"url": ("kind",), "pagination": ("kind", "method", "cursor"), "cursor": ("kind", "method", "pagination")}


def untold(found: Iterable[tuple[str, str]], told: Collection[str]) -> list[tuple[str, str]]:
    """What is ``found`` in a draft, without what follows from the keys in ``told`` only, which are wrong already."""

    def is_told(key: str) -> bool:
        top = re.split(r"[.\[]", key, maxsplit=1)[0]
        return any(
            _within(key, one) or _within(one, key) or any(_within(one, other) for other in _GOES_BY.get(top, ()))
            for one in told
        )

    return [(key, reason) for key, reason in found if not is_told(key)]


def _within(key: str, other: str) -> bool:
    """Whether ``key`` is ``other`` or a key below it."""
    return key == other or key.startswith((f"{other}.", f"{other}["))


def connector_mistakes(connector: ConnectorSettings) -> list[tuple[str, str]]:
    """What the schema alone cannot see, as ``(key, reason)``."""
    found = []
    if connector.connector_id in RESERVED_IDS:
        found.append(("connector_id", f"{connector.connector_id!r} is reserved; choose another id"))
    if len(connector.url) > LONGEST_URL:
        found.append(("url", f"it has {len(connector.url):,} characters; {LONGEST_URL:,} are the most"))
    unreadable = _url_mistake(connector)
    if unreadable is not None:
        found.append(("url", unreadable))
        connector = replace(connector, url="")  # nothing more can be said of it
    for name, value in connector.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            found.append((f"headers.{name}", "this is no name that HTTP allows for a header"))
        elif not _HEADER_VALUE.fullmatch(value):
            found.append((f"headers.{name}", _NOT_A_HEADER))
    found.extend(_auth_mistakes(connector))
    found.extend(paging_mistakes(connector))
    found.extend(stream_mistakes(connector))
    found.extend(sequence_mistakes(connector))
    return found


def _url_mistake(connector: ConnectorSettings) -> str | None:
    try:
        parts = urlsplit(connector.url)
        _ = parts.port  # raises where the port is none
    except ValueError:
        return "its host or its port cannot be read"
    if parts.scheme not in _SCHEMES[connector.kind]:
        wanted = " or ".join(f"{scheme}://" for scheme in _SCHEMES[connector.kind] if scheme)
        return f"a {connector.kind} connector needs a url that begins with {wanted}"
    if parts.scheme in {"http", "https", "ws", "wss"} and not parts.hostname:
        return "this url names no host"
    return None


def _auth_mistakes(connector: ConnectorSettings) -> Iterator[tuple[str, str]]:
    """No reason repeats a value: it may be a secret."""
    auth = connector.auth
    sent_in = {"authorization"}
    match auth:
        case NoAuth():
            return
        case ApiKeyAuth():
            if not auth.param and not _CREDENTIAL.fullmatch(auth.value.reveal()):
                yield "auth.value", _NOT_A_CREDENTIAL
            if auth.header and auth.param:
                yield "auth", "give the key in a header or in a param, not in both"
            sent_in = set() if auth.param else {(auth.header or "X-API-Key").lower()}
        case BearerAuth():
            if not _CREDENTIAL.fullmatch(auth.token.reveal()):
                yield "auth.token", _NOT_A_CREDENTIAL
        case BasicAuth():
            if ":" in auth.username.reveal():
                yield "auth.username", "HTTP allows no colon here: the password would begin behind it"
        case HmacAuth():
            yield from _hmac_mistakes(connector, auth)
            sent_in = {auth.key_header.lower()}
        case OAuth2Auth():
            if not _TOKEN_URL.match(auth.token_url):
                yield "auth.token_url", "a url that begins with https:// and names a host is needed"
            if any(not _SCOPE.fullmatch(scope) for scope in auth.scopes):
                yield "auth.scopes", "give each scope as a text of its own, without spaces or quotes"
    for name in connector.headers:
        if name.lower() in sent_in:
            yield f"headers.{name}", "auth sends this header; keep one of the two"
    if "authorization" in sent_in and "@" in urlsplit(connector.url).netloc:
        yield "url", "it holds a user, and auth says who asks; keep one of the two"


def _hmac_mistakes(connector: ConnectorSettings, auth: HmacAuth) -> Iterator[tuple[str, str]]:
    if not _CREDENTIAL.fullmatch(auth.key.reveal()):
        yield "auth.key", _NOT_A_CREDENTIAL
    if not _HEADER_NAME.fullmatch(auth.key_header):
        yield "auth.key_header", "this is no name that HTTP allows for a header"
    if auth.timestamp_param == auth.signature_param:
        yield "auth.signature_param", "this is the name of timestamp_param, too; each needs its own"
    window = ["recvWindow"] if auth.recv_window is not None else []
    added = {auth.timestamp_param, auth.signature_param, *window}
    for name in connector.params:
        if name in added:
            yield f"params.{name}", "auth adds this parameter; leave it out here"
    if any(name in added for name, _ in parse_qsl(urlsplit(connector.url).query, keep_blank_values=True)):
        yield "url", "its query holds a parameter that auth adds; leave it out here"
