"""What the schema cannot see of ``pagination`` and ``cursor``, as ``(key, reason)``."""

from __future__ import annotations

from collections.abc import Iterator

from .connector import ApiKeyAuth, ConnectorSettings, HmacAuth
from .paging import LinkedPages, TokenPages, pages_of


def paging_mistakes(connector: ConnectorSettings) -> Iterator[tuple[str, str]]:
    """Words that need more, parameters that two would send, connectors that have no pages."""
    given = [key for key in ("pagination", "cursor") if getattr(connector, key) is not None]
    if connector.kind != "rest":
        yield from ((key, f'a {connector.kind} connector has none; this is for kind = "rest"') for key in given)
        return
    pages = pages_of(connector.pagination)
    if given and connector.method == "HEAD":
        yield given[0], "the answer to a HEAD has no body to read it from"
    leads = isinstance(pages, TokenPages) and pages.from_ is None  # the connector's own cursor does
    if leads and connector.cursor is None:
        yield (
            "pagination",
            'say where the next page is named: { type = "cursor", from = "meta.next" }; or give the connector a cursor',
        )
    sent: dict[str, str] = {}
    if pages is not None and not isinstance(pages, LinkedPages):
        if not leads:
            sent["pagination.param"] = pages.param
        if pages.size is not None:
            sent["pagination.size_param"] = pages.size_param
    if connector.cursor is not None:
        sent["cursor.param"] = connector.cursor.param
    seen = {name: f"params.{name}" for name in connector.params} | _names_of_auth(connector)
    for key, name in sent.items():
        if name in seen:
            yield key, f"{name!r} is sent by {seen[name]}, too; keep one of the two"
        seen[name] = key


def _names_of_auth(connector: ConnectorSettings) -> dict[str, str]:
    match connector.auth:
        case ApiKeyAuth(param=param) if param:
            return {param: "auth"}
        case HmacAuth() as auth:
            return dict.fromkeys((auth.timestamp_param, auth.signature_param, "recvWindow"), "auth")
    return {}
