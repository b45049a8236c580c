"""``ETag`` (RFC 9110, 8.8.3): with ``If-Match`` (13.1.1) a change takes place only on the version it was made from, and
with ``If-None-Match`` (13.1.2) nobody is told again what they know.
"""

from __future__ import annotations

from werkzeug.datastructures import Headers
from werkzeug.http import parse_etags


def etag_header(version: str) -> str:
    """A strong validator."""
    return f'"{version}"'


def wanted_etags(headers: Headers) -> frozenset[str] | None:
    """The versions that the caller's change may be made on; None when it does not say, or takes any.

    A weak validator never matches here, so it names none.
    """
    stated = headers.get("If-Match", "").strip()
    return None if stated in {"", "*"} else frozenset(parse_etags(stated).as_set())


def is_known(headers: Headers, version: str) -> bool:
    """Whether the client has this version. A weak validator is as good here."""
    return parse_etags(headers.get("If-None-Match")).contains_weak(version)
