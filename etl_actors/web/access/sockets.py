"""Sockets and keys: a socket answers with a subprotocol that is no key, and ends when its key or its session does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, cast

import trio
from quart import websocket
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioWebsocket

from ..ports import Doorkeeper
from .gate import caller, session_token
from .presented import answered_subprotocol
from .sessions import Sessions

POLICY_VIOLATION = 1008

View = Callable[..., Awaitable[Any]]


class Socket(TrioWebsocket):
    """Accepts with the subprotocol that a browser waits for, where the view names none."""

    async def accept(self, headers: Any = None, subprotocol: str | None = None) -> None:
        await super().accept(headers, subprotocol or answered_subprotocol(self.requested_subprotocols))


def hold_sockets_to_keys(app: QuartTrio, doorkeeper: Doorkeeper, sessions: Sessions) -> None:
    """For every socket route registered so far; call it after all of them."""
    app.websocket_class = Socket

    async def wait_key_ended() -> str:
        await doorkeeper.wait_ended(caller())
        return "the key was revoked or has expired"

    async def wait_session_over() -> str:
        token = session_token()
        if token is None:
            await trio.sleep_forever()
        else:
            await sessions.wait_over(token)
        return "the session is over"

    for rule in app.url_map.iter_rules():
        if rule.websocket:
            view = cast("View", app.view_functions[rule.endpoint])
            app.view_functions[rule.endpoint] = _ending_with(view, (wait_key_ended, wait_session_over))


def _ending_with(view: View, ends: Sequence[Callable[[], Awaitable[str]]]) -> View:
    """``view``, closed with the reason of whichever of ``ends`` returns first."""

    @wraps(view)
    async def held(**arguments: Any) -> Any:
        reason, finished = "", False

        async def watch(end: Callable[[], Awaitable[str]], scope: trio.CancelScope) -> None:
            nonlocal reason
            reason = await end()
            scope.cancel()

        result = None
        async with trio.open_nursery() as nursery:
            for end in ends:
                nursery.start_soon(watch, end, nursery.cancel_scope)
            result = await view(**arguments)
            finished = True
            nursery.cancel_scope.cancel()
        if reason and not finished:
            await websocket.close(POLICY_VIOLATION, reason)
        return result

    return held
