"""The guard around every request: one deadline over the whole exchange, one bound on what comes back.

httpx times each read, so a byte every now and then would never time out, and it inflates whatever it is sent, whole.
Here the deadline covers connecting, sending, waiting and every byte; the raw body is streamed and inflated by us, in
steps, with a bound; and whatever a library raises leaves as :class:`~etl_actors.errors.PollFailed` with one sentence.

Redirects are not followed. A request carries keys, and an address that moved is for a person to correct: the sentence
of a 3xx says where to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf

import httpx
import trio
from msgspec import Struct

from ..errors import PollFailed
from ..settings.service import Upstream
from .discretion import keep_queries_out_of_logs
from .gathering import Gathering, too_large
from .guard import AddressGuard
from .guarded_transport import GuardedTransport
from .inflate import ACCEPTED, inflater_for
from .preamble import came
from .progress import Phase, Progress
from .trouble import FOREIGN, is_foreign, late, sentence_for

PROJECT_URL = "https://github.com/etl-actors/etl-actors"
# Enough of an error page to find the provider's own words in.
ERROR_BODY_BYTES = 65_536

# Idle connections are kept past the pace of a slow connector; the bound on all is a stop against running away, far
# above the number of connectors, since each has at most one request under way and must not queue behind another's.
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=90)
_REPEATABLE = frozenset({"GET", "HEAD"})


class Answer(Struct, frozen=True, kw_only=True):
    """What a provider answered. The body of anything but a 2xx may be cut."""

    status: int
    headers: httpx.Headers
    body: bytes
    received_at: datetime
    response_time_ms: int


@asynccontextmanager
async def open_client(upstream: Upstream, version: str) -> AsyncIterator[httpx.AsyncClient]:
    """The one client all sources of config files share; proxies and certificates of the environment are honoured."""
    async with _client(upstream, version, trust_env=True) as client:
        yield client


@asynccontextmanager
async def open_guarded_client(
    upstream: Upstream, version: str, *, guard: AddressGuard | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The client of everything a REST caller asks for: it reaches public addresses only.

    Requests for others end as :class:`~etl_actors.errors.TargetRefused`. No proxy of the environment is used, since it
    would resolve names and connect in our place, and no ``.netrc``; certificates of the environment are honoured.
    """
    transport = GuardedTransport(guard or AddressGuard(), _LIMITS)
    async with _client(upstream, version, trust_env=False, transport=transport) as client:
        yield client


def _client(
    upstream: Upstream, version: str, *, trust_env: bool, transport: httpx.AsyncBaseTransport | None = None
) -> httpx.AsyncClient:
    keep_queries_out_of_logs()
    return httpx.AsyncClient(
        headers={"User-Agent": upstream.user_agent or f"etl-actors/{version} (+{PROJECT_URL})", "Accept": "*/*"},
        limits=_LIMITS,
        # Connectors share the client and must not share a session.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        follow_redirects=False,
        trust_env=trust_env,
        transport=transport,
    )


async def fetch(
    client: httpx.AsyncClient,
    request: httpx.Request,
    *,
    deadline_seconds: float,
    max_bytes: int,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Answer:
    """The whole answer within the deadline and the bound, or PollFailed.

    A cancellation that comes before the last byte ends it at once; one that comes after waits until the answer is
    handed back, because what was read whole must not be lost. An answer that is not 2xx is handed back with as much of
    its body as came: its status matters more than its page.
    """
    failure: PollFailed | None = None
    cause: BaseException | None = None
    body: bytes | None = None
    with trio.CancelScope(deadline=trio.current_time() + deadline_seconds) as scope:

        def keep() -> None:
            scope.shield = True
            scope.deadline = inf

        progress = Progress(request.url.host, keep)
        request.headers["Accept-Encoding"] = ACCEPTED
        phases = httpx.Timeout(deadline_seconds).as_dict()
        request.extensions = {**request.extensions, "timeout": phases, "trace": progress.trace}
        gathering = Gathering(max_bytes)
        came.set(progress.came)
        try:
            response = await _send(client, request, progress)
            gathering = Gathering(max_bytes if response.is_success else min(max_bytes, ERROR_BODY_BYTES))
            await _gather(response, progress, gathering, max_bytes)
            body = await gathering.whole()
        except PollFailed as error:
            failure = error
        except FOREIGN as error:
            if not is_foreign(error):
                raise
            failure = PollFailed(sentence_for(error, progress, deadline_seconds))
            # An error about our own request may quote a header of it, and so may one about what came back.
            cause = None if isinstance(error, httpx.ProtocolError | UnicodeError) else error
        finally:
            gathering.close()
    if progress.response is not None and body is None and not progress.response.is_success:
        body = gathering.so_far()
    if progress.response is None or body is None:
        raise (failure or PollFailed(late(progress, deadline_seconds))) from cause
    ended_at = progress.whole_at or trio.current_time()
    return Answer(
        status=progress.response.status_code,
        headers=progress.response.headers,
        body=body,
        received_at=now(),
        response_time_ms=round((ended_at - progress.sent_at) * 1000),
    )


async def _send(client: httpx.AsyncClient, request: httpx.Request, progress: Progress) -> httpx.Response:
    try:
        return await _head(client, request, progress)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        # A provider may close an idle connection in the instant we use it; that is no failure of its, so such a
        # request is sent once more, on a new one.
        stale = not progress.dialled and progress.phase in {Phase.SENDING, Phase.WAITING}
        if not stale or request.method not in _REPEATABLE:
            raise
    return await _head(client, request, progress)


async def _head(client: httpx.AsyncClient, request: httpx.Request, progress: Progress) -> httpx.Response:
    try:
        response = await client.send(request, stream=True)
    except BaseException:
        await progress.abandon()
        raise
    progress.answered(response)
    return response


async def _gather(response: httpx.Response, progress: Progress, gathering: Gathering, max_bytes: int) -> None:
    async with _raw_pieces(response) as pieces:
        if response.is_success and progress.expected is not None and progress.expected > max_bytes:
            raise too_large(max_bytes)
        inflater = inflater_for(response.headers.get("content-encoding", ""))
        async for raw in pieces:
            progress.received += len(raw)
            if progress.received > max_bytes:
                raise too_large(max_bytes)
            for piece in inflater.feed(raw):
                gathering.add(piece)
                # A piece is small work; thousands of them come without one wait.
                await trio.lowlevel.checkpoint()
        inflater.finish()


@asynccontextmanager
async def _raw_pieces(response: httpx.Response) -> AsyncIterator[AsyncIterator[bytes]]:
    """The body as it comes from the wire, and an orderly end of it however it is left.

    The iterator stands on a tower of async generators; closing the top one leaves the others to the garbage collector,
    which trio warns of. Reading on inside a cancelled scope makes the lowest one raise, and all of them end.
    """
    pieces = response.aiter_raw()
    try:
        yield pieces
    finally:
        with trio.CancelScope(shield=True) as unwinding:
            unwinding.cancel()
            with suppress(*FOREIGN):
                async for _ in pieces:
                    pass
        with trio.CancelScope(shield=True):
            await response.aclose()
