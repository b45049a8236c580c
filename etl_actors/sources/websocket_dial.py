"""Connects to the host of a ``ws`` or ``wss`` url: past the guard for what a REST caller named, plainly for files.

TLS is verified with the name of the url, under the same certificates as every other request.
"""

from __future__ import annotations

import socket
import ssl

import httpx
import trio

from .guard import AddressGuard
from .progress import Phase, Progress

_PORTS = {"ws": 80, "wss": 443}
# A line that is dead without a word (a router forgot it, a machine lost its power) is noticed by the system, whether
# or not we read: after half a minute of silence it is asked for a sign of life.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


class Dialler:
    """Connects for many connectors; ``guard`` decides which addresses may be dialled, None for all."""

    def __init__(self, guard: AddressGuard | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self._guard = guard
        self._tls = tls

    async def dial(self, url: httpx.URL, progress: Progress) -> trio.abc.Stream:
        """A connection to the host of ``url``, secured if it says so. TargetRefused, OSError or BrokenResourceError."""
        if self._guard is not None:
            self._guard.admit(str(url), tuple(_PORTS))
        progress.phase = Phase.CONNECTING
        host, port = url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        stream = await (trio.open_tcp_stream if self._guard is None else self._guard.connect)(host, port)
        try:
            _keep_alive(stream)
            return await self._secured(stream, host, progress) if url.scheme == "wss" else stream
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def _secured(self, stream: trio.SocketStream, host: str, progress: Progress) -> trio.abc.Stream:
        progress.phase = Phase.SECURING
        if self._tls is None:
            # Reading the certificates takes longer than the loop may be held.
            self._tls = await trio.to_thread.run_sync(_client_tls)
        secured = trio.SSLStream(stream, self._tls, server_hostname=host, https_compatible=True)
        await secured.do_handshake()
        return secured


def _client_tls() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _keep_alive(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # not every system has them all
            stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
