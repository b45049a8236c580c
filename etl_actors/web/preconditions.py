"""``ETag`` and ``If-Match`` (RFC 9110, 8.8.3 and 13.1.1): a change takes place only on the version it was made from."""

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
