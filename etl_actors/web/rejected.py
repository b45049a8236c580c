"""``/api/rejected``: payloads that could not be mapped are looked at, mapped again, and dropped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import trio
from quart import Blueprint, Response, request
from werkzeug.datastructures import MIMEAccept

from ..errors import RejectedGone
from ..messages import StoredRejected
from ..wire import iso_time
from . import examples
from .answers import BacklogDropped, BacklogReplayed, RejectedAnswer, RejectedPageAnswer, ReplayedAnswer
from .openapi.documented import Answer, documented
from .parameters import single_values
from .ports import RejectedDesk
from .problems import json_response, no_content
from .query import AFTER, BACKLOG, BACKLOG_LIMIT, DROP_LIMIT, REJECTED_FILTERS, next_link, read_backlog, read_page

JSON = "application/json"
BYTES = "application/octet-stream"
SLICE_ROWS = 500
SHOWN_BYTES = 1_048_576
# A character of UTF-8 has four bytes at most, so that one that is cut lies within these.
CUT_BYTES = 3
ONE = Answer(
    RejectedAnswer,
    "It, with its beginning; by `Accept` all of its bytes.",
    examples.REJECTED_WHOLE,
    media={BYTES: {"type": "string", "format": "binary", "description": "Its bytes as they were received."}},
)


def rejected_routes(desk: RejectedDesk) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("rejected", __name__, url_prefix="/api/rejected")

    @routes.get("")
    @routes.get("/")
    @documented(
        "List rejected payloads",
        parameters=REJECTED_FILTERS,
        answers={200: Answer(RejectedPageAnswer, "A page of them, newest first.", examples.REJECTED)},
        problems=(503,),
    )
    async def every() -> Response:
        arguments = single_values(request.args)
        wanted = read_page({name: arguments[name] for name in arguments if name in _LIST_NAMES})
        page = await desk.book.page(wanted)
        frame: dict[str, Any] = {"total": page.total.rows} | ({} if page.total.exact else {"total_exact": False})
        link = next_link(quote(request.path), arguments, page.next_key)
        frame |= {"limit": wanted.limit, "offset": wanted.offset, "next": link}
        return Response(_page_pieces(desk, page.rejected, frame), content_type=JSON)

    @routes.get("/<int:rejected_id>")
    @documented("Show a rejected payload", answers={200: ONE}, problems=(503,))
    async def one(rejected_id: int) -> Response:
        """`raw` is cut after a mebibyte."""
        kept = await desk.book.one(rejected_id)
        if kept is None:
            raise RejectedGone(rejected_id)
        response = await _bytes(desk, kept) if _wants_bytes(request.accept_mimetypes) else await _shown(desk, kept)
        response.headers.add("Vary", "Accept")
        return response

    @routes.post("/<int:rejected_id>/replay")
    @documented(
        "Map a rejected payload again",
        scope="write",
        answers={200: Answer(ReplayedAnswer, "It is stored and told; the rejected one is gone.", examples.REPLAYED)},
        problems=(409, 422, 503),
    )
    async def replay(rejected_id: int) -> Response:
        """Under the connector's mapping of today, with the time it was received at. 422 tells why it stays rejected;
        409 that its connector is not there any more. It is stored once, however often this is asked."""
        done = await desk.replay(rejected_id)
        return json_response(
            {
                "id": rejected_id,
                "connector_id": done.connector_id,
                "items": done.items,
                "rejected": done.rejected,
                "stream_offset": done.stream_offset,
                "event_id": done.event_id,
            }
        )

    @routes.delete("/<int:rejected_id>")
    @documented("Drop a rejected payload", scope="write", answers={204: Answer(None, "It is gone.")}, problems=(503,))
    async def drop(rejected_id: int) -> Response:
        await desk.drop(rejected_id)
        return no_content()

    @routes.post("/replay")
    @documented(
        "Map a backlog again",
        scope="write",
        parameters=(*BACKLOG, BACKLOG_LIMIT, AFTER),
        answers={200: Answer(BacklogReplayed, "What came of it so far.", examples.BACKLOG_REPLAYED)},
        problems=(409, 503),
    )
    async def replay_some() -> Response:
        """Oldest first, some at a time: `next` goes on behind those that were tried, whether they stay rejected or
        not."""
        arguments = single_values(request.args)
        done = await desk.replay_some(read_backlog(arguments, BACKLOG_LIMIT))
        reasons = [{"reason": reason, "count": count} for reason, count in done.reasons]
        counts = {"replayed": done.replayed, "items": done.items, "failed": done.failed, "reasons": reasons}
        return json_response(counts | {"next": next_link(quote(request.path), arguments, done.next_key)})

    @routes.delete("")
    @documented(
        "Drop a backlog",
        scope="write",
        parameters=(*BACKLOG, DROP_LIMIT),
        answers={200: Answer(BacklogDropped, "How many are gone.", examples.BACKLOG_DROPPED)},
        problems=(503,),
    )
    async def drop_some() -> Response:
        """All that match, oldest first."""
        arguments = single_values(request.args)
        dropped, all_gone = await desk.drop_some(read_backlog(arguments, DROP_LIMIT))
        more = None if all_gone else f"{quote(request.path)}?{urlencode(arguments)}"
        return json_response({"dropped": dropped, "next": more})

    return routes


_LIST_NAMES = frozenset(one.name for one in REJECTED_FILTERS)


async def _page_pieces(
    desk: RejectedDesk, found: Sequence[StoredRejected], frame: dict[str, Any]
) -> AsyncIterator[bytes]:
    yield b'{"rejected":['
    for start in range(0, len(found), SLICE_ROWS):
        rows = [_listed(desk, one) for one in found[start : start + SLICE_ROWS]]
        yield (b"," if start else b"") + msgspec.json.encode(rows)[1:-1]
        await trio.lowlevel.checkpoint()
    yield b"]," + msgspec.json.encode(frame)[1:]


def _listed(desk: RejectedDesk, kept: StoredRejected) -> dict[str, Any]:
    whole_or_not = "element" if kept.where else "response"
    return {
        "id": kept.id,
        "connector_id": kept.connector_id,
        "kind": kept.kind or whole_or_not,
        "where": kept.where,
        "reason": kept.reason,
        "timestamp": iso_time(kept.received_at),
        "size": kept.size,
        "config_changed": desk.config_changed(kept),
    }


def _wants_bytes(accept: MIMEAccept) -> bool:
    return accept.best_match([JSON, BYTES], JSON) == BYTES


async def _bytes(desk: RejectedDesk, kept: StoredRejected) -> Response:
    body = b"" if request.method == "HEAD" else desk.book.raw_slices(kept)
    response = Response(body, content_type=BYTES)
    response.headers["Content-Length"] = str(kept.size)
    response.headers["Content-Disposition"] = f'attachment; filename="rejected-{kept.id}"'
    return response


async def _shown(desk: RejectedDesk, kept: StoredRejected) -> Response:
    raw = await desk.book.raw(kept, size=SHOWN_BYTES)
    if kept.size and not raw:  # it went while we looked
        raise RejectedGone(kept.id)
    truncated = kept.size > len(raw)
    text = _text(raw, truncated=truncated)
    shown = b64encode(raw).decode("ascii") if text is None else text
    encoding = "base64" if text is None else "utf-8"
    return json_response(_listed(desk, kept) | {"raw": shown, "encoding": encoding, "truncated": truncated})


def _text(raw: bytes, *, truncated: bool) -> str | None:
    """``raw`` as text, without a last character that was cut; None where it is none."""
    for cut in range(CUT_BYTES + 1 if truncated else 1):
        try:
            text = raw[: len(raw) - cut].decode()
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None
