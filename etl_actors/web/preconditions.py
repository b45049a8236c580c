"""``ETag`` and ``If-Match`` (RFC 9110, 8.8.3 and 13.1.1): a change takes place only on the version it was made from."""

from __future__ import annotations

from werkzeug.datastructures import Headers
from werkzeug.http import parse_etags

from .problems import Problem


def etag_header(version: str) -> str:
    """A strong validator."""
    return f'"{version}"'


def wanted_etag(headers: Headers, current: str) -> str | None:
    """The version that the caller's change was made from; None when it does not say, or takes any.

    412 when it names others than ``current``. A weak validator never matches here.
    """
    stated = headers.get("If-Match", "").strip()
    if stated in {"", "*"}:
        return None
    if current in parse_etags(stated):
        return current
    raise Problem(
        412, "Changed meanwhile", f"this is version {etag_header(current)} by now; get it again and repeat your change"
    )
