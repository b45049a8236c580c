"""A source that is followed: opens the WebSocket of a connector, gives its frames, and says how it ended.

The handshake carries the connector's headers and credentials as every request does. Pings of the provider are answered
by trio-websocket while frames are read; when nobody takes the frames the socket is not read, and TCP holds the provider
back. No extension is negotiated, so a frame is as large as it is on the wire.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from math import inf
from urllib.parse import unquote

import httpx
import trio
from trio_websocket import CloseReason, ConnectionClosed, ConnectionRejected, WebSocketConnection

from ..errors import PollFailed
from ..messages import Page
from ..settings import ConnectorSettings
from ..settings.disclosure import plain_document, secret_texts
from ..settings.service import Upstream
from .addressing import Addressing
from .auth import authenticator
from .credentials import forms, hidden_in_url
from .draft import Draft
from .echoes import masked, masked_body
from .exchange import ERROR_BODY_BYTES, Answer
from .progress import Phase, Progress
from .provider_words import provider_words
from .trouble import FOREIGN, is_foreign, late, sentence_for
from .verdict import failure
from .websocket_dial import Dialler
from .websocket_opening import NotOpened, open_over
from .websocket_wire import MAX_FRAGMENTS, Wire
from .wording import one_line

# How long a provider may take to say goodbye, before the socket is closed all the same, and how long our own may take.
CLOSING_SECONDS, SAYING_SECONDS = 1.0, 0.1
# A frame is held in memory while it comes, as large answers are not, and none that is meant well comes near this.
MAX_FRAME_BYTES = 33_554_432
_ABNORMAL = 1006
_NO_TEXT = 1007
_TOO_BIG = 1009
_BROKEN = "what the provider sends is no valid WebSocket"
_CANNOT_BE_SENT = "the request cannot be sent: its url or one of its headers holds characters that HTTP does not allow"


class Socket:
    """An open WebSocket."""

    def __init__(self, connection: WebSocketConnection, wire: Wire, *, max_bytes: int, secrets: list[str]) -> None:
        self._connection = connection
        self._wire = wire
        self._max_bytes = max_bytes
        self._secrets = secrets

    async def receive(self) -> bytes:
        """The next frame whole, a text as UTF-8; a cancelled wait loses none. PollFailed at the end."""
        try:
            message = await self._connection.get_message()
        except ConnectionClosed:
            raise PollFailed(self._ended()) from None
        self._wire.message_over()
        body = message.encode() if isinstance(message, str) else message
        if len(body) > self._max_bytes:
            raise PollFailed(self._too_large())
        return await masked_body(body, self._secrets) if self._secrets else body

    async def send(self, text: str) -> None:
        """One message. PollFailed when the socket is closed."""
        try:
            await self._connection.send_message(text)
        except ConnectionClosed:
            raise PollFailed(self._ended()) from None

    async def ping(self) -> None:
        """A ping of the protocol, until it is answered. PollFailed when the socket is closed."""
        try:
            await self._connection.ping()
        except ConnectionClosed:
            raise PollFailed(self._ended()) from None

    async def aclose(self) -> None:
        """Says goodbye, and closes."""
        # Who is cancelled has nobody left to read the answer: what reads runs in the same block.
        heard = trio.current_effective_deadline() > -inf
        seconds = CLOSING_SECONDS if heard else SAYING_SECONDS
        with trio.move_on_after(seconds, shield=True), suppress(trio.BrokenResourceError):
            await self._connection.aclose()
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(self._wire)

    def _ended(self) -> str:
        reason: CloseReason | None = self._connection.closed
        if self._wire.splintered:
            return f"a frame comes in more than {MAX_FRAGMENTS:,} fragments"
        if self._wire.overflowed or (reason is not None and reason.code == _TOO_BIG):
            return self._too_large()
        if reason is None or reason.code == _ABNORMAL:
            return "the connection broke off"
        words = one_line(masked(reason.reason or "", self._secrets))
        if not self._wire.said_close:
            # Found here, in what was received: trio-websocket tells it as if the provider had closed.
            return "a frame holds text that is not UTF-8" if reason.code == _NO_TEXT else f"{_BROKEN}: {words}"
        name = reason.name.replace("_", " ").lower()
        return f"the provider closed the connection: {reason.code} ({name})" + (f": {words}" if words else "")

    def _too_large(self) -> str:
        setting = "" if self._max_bytes == MAX_FRAME_BYTES else " ([upstream] max_response_bytes)"
        return f"a frame is larger than {self._max_bytes:,} bytes{setting}"


class WebSocketSource:
    """Opens ``connector.url``. ``observe`` sees the headers of an answer that is no WebSocket."""

    def __init__(
        self,
        connector: ConnectorSettings,
        client: httpx.AsyncClient,
        dialler: Dialler,
        upstream: Upstream,
        *,
        observe: Callable[[Mapping[str, str]], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connector = connector
        self._client = client
        self._dialler = dialler
        self._max_bytes = min(upstream.max_response_bytes, MAX_FRAME_BYTES)
        self._observe = observe
        self._now = now
        self._addressing = Addressing(connector)
        # ``client`` fetches tokens.
        self._auth = authenticator(connector.auth, client, timeout_seconds=connector.timeout_seconds, now=now)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Socket]:
        """The socket, open for the length of the block. PollFailed when it does not open."""
        refused: PollFailed | None = None
        async with trio.open_nursery() as nursery:
            try:
                socket = await self._open(nursery)
            except PollFailed as error:
                refused = error  # raised outside, where no group is made of it
            else:
                try:
                    yield socket
                finally:
                    await socket.aclose()
            nursery.cancel_scope.cancel()
        if refused is not None:
            raise refused

    async def _open(self, nursery: trio.Nursery) -> Socket:
        draft = await self._draft()
        try:
            return await self._attempt(nursery, draft)
        except PollFailed as refusal:
            if refusal.status != 401 or not self._auth.denied(draft):
                raise
        return await self._attempt(nursery, await self._draft())

    async def _draft(self) -> Draft:
        try:
            draft = self._addressing.draft(Page(), self._connector.headers)
            await self._auth.apply(draft)
            draft.headers.setdefault("User-Agent", self._client.headers["User-Agent"])
            user = draft.url.userinfo
            if user:
                pair = b64encode(unquote(user.decode()).encode()).decode()
                draft.headers.setdefault("Authorization", f"Basic {pair}")
        except (httpx.InvalidURL, ValueError):
            # Not chained: these errors quote the value that cannot be sent, which may be the key.
            raise PollFailed(_CANNOT_BE_SENT) from None
        return draft

    async def _attempt(self, nursery: trio.Nursery, draft: Draft) -> Socket:
        seconds = self._connector.timeout_seconds
        progress = Progress(draft.url.host, lambda: None)
        wire: Wire | None = None
        socket: Socket | None = None
        try:
            with trio.move_on_after(seconds):
                wire = Wire(await self._dialler.dial(draft.url, progress), self._max_bytes)
                progress.phase = Phase.WAITING
                connection = await open_over(nursery, wire, draft.url, draft.headers, max_bytes=self._max_bytes)
                socket = Socket(connection, wire, max_bytes=self._max_bytes, secrets=self._secrets())
                return socket
            status = None if wire is None else wire.status
            raise PollFailed(late(progress, seconds)) if status is None else self._refusal(status, [], b"")
        except NotOpened as error:
            assert wire is not None
            raise self._not_opened(error.rejected, wire, progress) from None
        except (*FOREIGN, trio.BrokenResourceError) as error:
            if not is_foreign(error):
                raise
            raise PollFailed(sentence_for(error, progress, seconds)) from error
        finally:
            if wire is not None and socket is None:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(wire)

    def _not_opened(self, rejected: ConnectionRejected | None, wire: Wire, progress: Progress) -> PollFailed:
        if rejected is not None:
            return self._refusal(rejected.status_code, list(rejected.headers), rejected.body or b"")
        if wire.status not in {None, 101}:
            assert wire.status is not None
            return self._refusal(wire.status, [], b"")
        if not wire.received:
            return PollFailed(f"{progress.host} closed the connection without an answer")
        return PollFailed(f"what {progress.host} answered is not the handshake of a WebSocket")

    def _refusal(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> PollFailed:
        answer = Answer(
            status=status,
            headers=httpx.Headers(headers),
            body=body[:ERROR_BODY_BYTES],
            received_at=self._now(),
            response_time_ms=0,
        )
        if self._observe is not None:
            self._observe(answer.headers)
        if 200 <= status < 300:
            words = provider_words(answer.body, secrets=self._secrets())
            return PollFailed(f"HTTP {status} in place of a WebSocket" + (f": {words}" if words else ""), status=status)
        return failure(answer, self._secrets())

    def _secrets(self) -> list[str]:
        """What the provider may repeat and must not be shown: credentials, and what hides in headers and messages."""
        told = secret_texts(plain_document(self._connector))
        return self._auth.secrets() + forms([*told, *hidden_in_url(self._connector.url)])
