"""Bodies arrive no faster than they are read."""

from __future__ import annotations

import pytest
import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import RequestEntityTooLarge

from etl_actors.web.flow import LINGER_SECONDS, UNREAD_BYTES, MeteredBody, install_flow_control

PIECE = 65_536


class Client:
    """Calls the application as Hypercorn does: hands over a piece when it is asked for one."""

    def __init__(self, app: QuartTrio, *, pieces: int, ends: bool = True) -> None:
        self.app = app
        self.left = pieces
        self.ends = ends
        self.sent: list[dict[str, object]] = []

    async def call(self, path: str = "/") -> None:
        scope = {
            "type": "http", "asgi": {}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [(b"host", b"x")],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "extensions": {},
        }  # fmt: skip
        await self.app(scope, self.receive, self.send)  # type: ignore[arg-type]  # a plain dict is enough

    async def receive(self) -> dict[str, object]:
        await trio.lowlevel.checkpoint()
        if self.left:
            self.left -= 1
            return {"type": "http.request", "body": b"x" * PIECE, "more_body": self.left > 0 or not self.ends}
        if self.ends:
            await trio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)


def application(*, limit: int = 10**9) -> QuartTrio:
    app = QuartTrio("test")
    app.config["MAX_CONTENT_LENGTH"] = limit
    install_flow_control(app)
    return app


async def test_a_slow_view_slows_its_client(autojump_clock: trio.testing.MockClock) -> None:
    """While the view reads nothing, no more is taken than a bounded amount; it still gets every byte."""
    app, unread, total = application(), [], []

    @app.post("/")
    async def slow() -> str:
        await trio.sleep(100)
        unread.append(client.left)
        total.append(sum([len(piece) async for piece in request.body]))
        return "done"

    client = Client(app, pieces=100)
    await client.call()
    assert (100 - unread[0]) * PIECE <= UNREAD_BYTES + 2 * PIECE
    assert total == [100 * PIECE]


async def test_whoever_awaits_the_whole_gets_the_whole(autojump_clock: trio.testing.MockClock) -> None:
    """A view that does not stream is not left waiting for room."""
    app, total = application(), []

    @app.post("/")
    async def whole() -> str:
        total.append(len(await request.get_data()))
        return "done"

    await Client(app, pieces=100).call()
    assert total == [100 * PIECE]


async def test_a_body_beyond_the_limit_is_told_while_it_comes(autojump_clock: trio.testing.MockClock) -> None:
    """However much of it was read already, and when its last piece is the one too much."""
    for pieces in (11, 100):
        app, read = application(limit=10 * PIECE), [0]

        @app.post("/")
        async def streaming(read: list[int] = read) -> str:
            async for piece in request.body:
                read[0] += len(piece)
            return "done"

        client = Client(app, pieces=pieces)
        await client.call()
        assert client.sent[0]["status"] == 413
        assert read[0] <= 10 * PIECE


async def test_a_client_that_goes_away_ends_its_view(autojump_clock: trio.testing.MockClock) -> None:
    """The view is cancelled where it waits for more."""
    app, ended = application(), []

    @app.post("/")
    async def streaming() -> str:
        try:
            async for _ in request.body:
                pass
        finally:
            ended.append(True)
        return "done"

    client = Client(app, pieces=3, ends=False)
    await client.call()
    assert (ended, client.sent) == ([True], [])


async def test_an_early_answer_waits_for_the_client_to_have_sent(autojump_clock: trio.testing.MockClock) -> None:
    """The answer leaves at once; its end only when the body is there, which nobody keeps."""
    app = application()

    @app.post("/")
    async def early() -> Response:
        return Response("no", status=503)

    client = Client(app, pieces=100)
    await client.call()
    assert client.left == 0
    assert client.sent[0]["status"] == 503
    assert client.sent[-1]["more_body"] is False


async def test_a_client_that_stalls_is_not_waited_for_long(autojump_clock: trio.testing.MockClock) -> None:
    """An early answer ends after a moment though the body never does."""
    app = application()

    @app.post("/")
    async def early() -> Response:
        return Response("no", status=503)

    client = Client(app, pieces=1)
    client.left = 0
    started = trio.current_time()
    await client.call()
    assert trio.current_time() - started == pytest.approx(LINGER_SECONDS)


async def test_a_declared_length_beyond_the_limit_is_told_at_once() -> None:
    """Nothing of it needs to have come, and nothing of it is kept."""
    body = MeteredBody(11, 10)
    body.append(b"x" * 5)
    body.set_complete()
    with pytest.raises(RequestEntityTooLarge):
        await anext(body)
    assert not body._data
