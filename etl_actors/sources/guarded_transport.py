"""httpx's way to the network through the guard: the one place that knows httpcore.

A connection pool of its own, so that no connection made without the guard can be used again behind it; the guard stands
where the pool dials. TLS is made above that, with the name of the url, and verifies it as ever.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

import httpcore
import httpx
import trio

from .dialling import dial
from .guard import AddressGuard

_FAILURES = (httpcore.ConnectError, httpcore.ConnectTimeout)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests to where ``guard`` lets them go; TargetRefused for all others. Knows no proxies."""

    def __init__(self, guard: AddressGuard, limits: httpx.Limits) -> None:
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_GuardedNetwork(guard),
        )

    async def __aenter__(self) -> GuardedTransport:
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        with _as_httpx():
            await self._pool.__aexit__(exc_type, exc_value, traceback)

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._pool.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange; the url is looked at first, the addresses of its host when a connection is made."""
        self._guard.admit(str(request.url))
        url = request.url
        assert isinstance(request.stream, httpx.AsyncByteStream)
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            response = await self._pool.handle_async_request(inner)
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )


class _GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Where the pool dials."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        self._network = httpcore.TrioBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async def attempt(address: str) -> httpcore.AsyncNetworkStream:
            # An address in figures is dialled as it is: nothing is looked up again.
            return await self._network.connect_tcp(address, port, timeout, local_address, options)

        options = list(socket_options or ())
        try:
            with trio.fail_after(float("inf") if timeout is None else timeout):
                return await dial(await self._guard.addresses(host, port), attempt, _FAILURES)
        except trio.TooSlowError as error:
            raise httpcore.ConnectTimeout from error
        except (OSError, ExceptionGroup) as error:
            raise httpcore.ConnectError from error

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    """The body of an answer, with the errors of httpx."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            # Not aclosing: an orderly end of this tower of iterators is the business of whoever reads it.
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        with _as_httpx():
            await self._response.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Errors of httpcore, as those of the same name that httpx has; what httpx lacks becomes its general one."""
    try:
        yield
    except (
        httpcore.ConnectionNotAvailable,
        httpcore.NetworkError,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.TimeoutException,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error
