"""What the commands ask a running service of its rejected payloads; a backlog a part at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .bar import count_of, shown_bar

if TYPE_CHECKING:
    import httpx

ROUTE = "/api/rejected"
PAGE_ROWS = 1_000
BACKLOG_ROWS = 500


def newest(client: httpx.Client, wanted: dict[str, str], limit: int) -> tuple[list[dict[str, Any]], int]:
    """So many of the newest, and how many there are in all."""
    from ..client.answers import json_of

    first = page = json_of(client.get(ROUTE, params={**wanted, "limit": str(min(limit, PAGE_ROWS))}))
    found: list[dict[str, Any]] = page["rejected"]
    while page["next"] and len(found) < limit:
        page = json_of(client.get(page["next"]))
        found += page["rejected"]
    return found[:limit], first["total"]


def replay_one(client: httpx.Client, rejected_id: int) -> str:
    """Map one again, and say what was stored."""
    from ..client.answers import json_of

    answer = json_of(client.post(f"{ROUTE}/{rejected_id}/replay"))
    left = f"; {answer['rejected']:,} elements of it are rejected still" if answer["rejected"] else ""
    return f"replayed: {count_of(answer['items'], 'items')} stored{left}"


def replay_backlog(client: httpx.Client, wanted: dict[str, str]) -> tuple[int, int, int, str]:
    """How many were replayed, their items, how many stay, and the reason that most of those have."""
    _, total = newest(client, {name: value for name, value in wanted.items() if name != "all"}, 1)
    replayed = items = failed = 0
    worst: tuple[int, str] = (0, "")
    with shown_bar("replaying", unit="payloads", total=total, shown=sys.stderr.isatty()) as advance:
        for answer in _parts(client, wanted):
            replayed, items, failed = (
                replayed + answer["replayed"], items + answer["items"], failed + answer["failed"],
            )  # fmt: skip
            worst = max([worst, *((one["count"], one["reason"]) for one in answer["reasons"])])
            advance(answer["replayed"] + answer["failed"])
    return replayed, items, failed, worst[1]


def _parts(client: httpx.Client, wanted: dict[str, str]) -> Iterator[dict[str, Any]]:
    from ..client.answers import json_of

    params: dict[str, str] | None = {**wanted, "limit": str(BACKLOG_ROWS)}
    link = f"{ROUTE}/replay"
    while link:
        answer = json_of(client.post(link, params=params))
        yield answer
        link, params = answer["next"], None


def drop_one(client: httpx.Client, rejected_id: int) -> str:
    """Drop one, and say so."""
    from ..client.answers import refusal

    response = client.delete(f"{ROUTE}/{rejected_id}")
    if not response.is_success:
        raise refusal(response)
    return "dropped"


def drop_backlog(client: httpx.Client, wanted: dict[str, str]) -> int:
    """How many went."""
    from ..client.answers import json_of

    dropped, link = 0, ROUTE
    params: dict[str, str] | None = wanted
    while link:
        answer = json_of(client.delete(link, params=params))
        dropped, link, params = dropped + answer["dropped"], answer["next"], None
    return dropped
