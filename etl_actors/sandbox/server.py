"""HTTP on a socket: h11 for what keeps the rules, the bare stream for what breaks them.

One site is one provider on one port. A request goes to the control room, or is noted in the journal and then meets, in
this order: a fault, a recorded answer, the provider. One that asks for a WebSocket and meets no fault becomes a
conversation with the provider's feed, if it has one there.
"""

from __future__ import annotations

from http import HTTPStatus

import h11
import trio
import wsproto.utilities

from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.control import CONTROL_PREFIX, ControlRoom
from etl_actors.sandbox.conversation import Conversation, House
from etl_actors.sandbox.faults import Fault
from etl_actors.sandbox.journal import Journal, SeenRequest
from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.misbehaviour import STATUS_SENT, misbehave
from etl_actors.sandbox.provider import Provider
from etl_actors.sandbox.recorded import RecordedAnswers
from etl_actors.sandbox.refusals import refusal

_RECEIVE = 65_536
_LARGEST_REQUEST = 1_048_576
_WORTH_COMPRESSING = 860  # bytes; below it gzip's own frame eats the gain
_Gone = (
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    h11.RemoteProtocolError,
    wsproto.utilities.RemoteProtocolError,
)


class Site:
    """One provider behind one port."""

    def __init__(
        self,
        provider: Provider,
        house: House,
        journal: Journal,
        recorded: RecordedAnswers,
        control: ControlRoom,
    ) -> None:
        self._provider = provider
        self._house = house
        self._clock = house.clock
        self._faults = house.faults
        self._journal = journal
        self._recorded = recorded
        self._control = control

    async def serve(self, stream: trio.SocketStream) -> None:
        """Speaks with one client until either side has had enough."""
        connection = h11.Connection(h11.SERVER)
        async with stream:
            try:
                while await self._exchange(connection, stream):
                    connection.start_next_cycle()
            except _Gone:
                return  # the client left, or never spoke HTTP: nobody is there to be told

    async def _exchange(self, connection: h11.Connection, stream: trio.SocketStream) -> bool:
        read = await _read_request(connection, stream)
        if read is None:
            return False
        head, request = read
        if request.path.startswith(CONTROL_PREFIX):
            await _send(connection, stream, request, self._control.answer(request), self._clock)
            return connection.our_state is h11.DONE
        seen = self._journal.note(self._provider.name, request, self._clock.now())
        fault = self._faults.take(self._provider.name, request, self._clock.now())
        if fault is not None:
            seen.fault = fault.kind
        if fault is not None and not _is_refusal(fault):
            seen.status = STATUS_SENT.get(fault.kind, 200)
            await misbehave(stream, fault, await self._answer(request, None))
            return False
        if fault is None and await self._talk(connection, stream, head, request, seen):
            return False
        answer = await self._answer(request, fault)
        seen.status = answer.status
        await _send(connection, stream, request, answer, self._clock)
        return connection.our_state is h11.DONE

    async def _talk(
        self,
        connection: h11.Connection,
        stream: trio.SocketStream,
        head: h11.Request,
        request: Request,
        seen: SeenRequest,
    ) -> bool:
        """Hold a conversation with whoever asks for one; False when there is nothing to talk about."""
        feed = self._provider.feed
        if feed is None or request.headers.get("upgrade", "").lower() != "websocket":
            return False
        session = feed.open(request)
        if session is None:
            return False
        seen.status = HTTPStatus.SWITCHING_PROTOCOLS
        conversation = Conversation(
            stream, session, feed.rules, self._house, provider=self._provider.name, request=request, seen=seen
        )
        await conversation.hold(list(head.headers), connection.trailing_data[0])
        return True

    async def _answer(self, request: Request, fault: Fault | None) -> Answer:
        if fault is not None:
            return refusal(self._provider.name, fault, self._clock)
        return self._recorded.take(request) or await self._provider.answer(request)


def _is_refusal(fault: Fault) -> bool:
    return fault.kind.isdigit() or fault.kind == "error_object"


async def _read_request(connection: h11.Connection, stream: trio.SocketStream) -> tuple[h11.Request, Request] | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        match event:
            case h11.NEED_DATA:
                connection.receive_data(await stream.receive_some(_RECEIVE))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
                if len(body) > _LARGEST_REQUEST:
                    return None
            case h11.EndOfMessage() if head is not None:
                names = {name.decode().lower(): value.decode("latin-1") for name, value in head.headers}
                request = _parsed(head, names, bytes(body))
                return None if request is None else (head, request)
            case _:
                return None


async def _send(
    connection: h11.Connection, stream: trio.SocketStream, request: Request, answer: Answer, clock: Clock
) -> None:
    headers = [("Date", clock.http_date()), *answer.headers]
    body = b""
    if answer.status != HTTPStatus.NOT_MODIFIED:
        body, about = await _encoded(answer, request)
        headers += about
    opening = connection.send(h11.Response(status_code=answer.status, headers=headers, reason=_reason(answer.status)))
    assert opening is not None
    parts = [opening]
    if body and request.method != "HEAD":
        parts += connection.send_with_data_passthrough(h11.Data(data=body)) or []
    parts += connection.send_with_data_passthrough(h11.EndOfMessage()) or []
    await stream.send_all(b"".join(parts))


async def _encoded(answer: Answer, request: Request) -> tuple[bytes, list[tuple[str, str]]]:
    about = [("Content-Type", answer.content_type)]
    body = answer.body.raw
    if len(body) >= _WORTH_COMPRESSING:
        about.append(("Vary", "Accept-Encoding"))
        if "gzip" in request.headers.get("accept-encoding", ""):
            body = await answer.body.compressed()
            about.append(("Content-Encoding", "gzip"))
    return body, [*about, ("Content-Length", str(len(body)))]


def _parsed(head: h11.Request, headers: dict[str, str], body: bytes) -> Request | None:
    try:
        return Request.parse(head.method.decode(), head.target.decode("latin-1"), headers, body)
    except ValueError:
        return None  # no target an HTTP client would send


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
