"""The socket the service listens on.

We bind it ourselves because of clients that never read: Hypercorn sends inside a shielded scope, so no deadline of ours
ends such a send. ``TCP_USER_TIMEOUT`` and a bounded send buffer, set here and inherited by every accepted socket, let
the kernel abort a connection that takes nothing for so long. What is still stuck when the service must end is aborted
by :func:`abort_connections`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import struct
import sys
from contextlib import suppress
from urllib.parse import urlsplit

from ..errors import UsageError

SEND_BUFFER_BYTES = 262_144
BACKLOG = 1024


def open_listener(host: str, port: int, *, stuck_seconds: float) -> socket.socket:
    """A bound TCP socket; raises :class:`UsageError` when that cannot be."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError(f"cannot listen on {host!r}: there is no such address ({error})") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stuck_seconds * 1000))
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host} port {port}: {(error.strerror or str(error)).lower()};"
            " choose another with --port, or 0 for a free one"
        ) from None
    listener.setblocking(False)
    return listener


def is_loopback(host: str) -> bool:
    """Whether everything ``host`` stands for is this machine only."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return False
    return all(ipaddress.ip_address(str(address[4][0]).split("%")[0]).is_loopback for address in found)


def address_of(listener: socket.socket) -> str:
    """``http://127.0.0.1:8000``."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"


def openable(address: str) -> str:
    """``address`` as a browser of the network can open it: for all addresses stands the name of this machine."""
    parts = urlsplit(address)
    if parts.hostname not in {"0.0.0.0", "::"}:  # noqa: S104  # compared, not listened on
        return address
    return f"{parts.scheme}://{socket.gethostname()}:{parts.port}"


def abort_connections(port: int) -> int:
    """Reset every connection that was accepted on ``port``; returns how many. Nothing waits for them any more."""
    aborted = 0
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - names of descriptors, not paths
        with suppress(OSError):
            descriptor = int(name)
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            # A duplicate, so that closing ours here leaves the one that Hypercorn holds to Hypercorn.
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                if _is_accepted_on(connection, port):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.shutdown(socket.SHUT_RDWR)
                    aborted += 1
    return aborted


def _is_accepted_on(connection: socket.socket, port: int) -> bool:
    if connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return False
    connection.getpeername()  # raises for the listening socket itself
    return bool(connection.getsockname()[1] == port)
