"""Sockets and keys: a socket answers with a subprotocol that is no key, and ends when its key or its session does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, cast

import trio
from quart import websocket
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioWebsocket

from .gate import caller, session_token
from .lasting import Lasting
from .presented import answered_subprotocol

POLICY_VIOLATION = 1008

View = Callable[..., Awaitable[Any]]


class Socket(TrioWebsocket):
    """Accepts with the subprotocol that a browser waits for, where the view names none."""

    async def accept(self, headers: Any = None, subprotocol: str | None = None) -> None:
        await super().accept(headers, subprotocol or answered_subprotocol(self.requested_subprotocols))


def hold_sockets_to_keys(app: QuartTrio, lasting: Lasting) -> None:
    """For every socket route registered so far; call it after all of them."""
    app.websocket_class = Socket
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            view = cast("View", app.view_functions[rule.endpoint])
            app.view_functions[rule.endpoint] = _ending(view, lasting)


def _ending(view: View, lasting: Lasting) -> View:
    """``view``, closed with the reason as soon as its caller must go."""

    @wraps(view)
    async def held(**arguments: Any) -> Any:
        reason, finished = "", False

        async def watch(scope: trio.CancelScope) -> None:
            nonlocal reason
            reason = await lasting.wait_ended(caller(), session_token())
            scope.cancel()

        result = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, nursery.cancel_scope)
            result = await view(**arguments)
            finished = True
            nursery.cancel_scope.cancel()
        if reason and not finished:
            await websocket.close(POLICY_VIOLATION, reason)
        return result

    return held
