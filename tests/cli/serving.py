"""A service of one route for the commands to talk to: each answer is written by the test, byte by byte if need be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket, str, bytes], None]
"""Gets the socket, the request's head, and what of its body came with it."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address of a server that lets ``answer`` answer each connection's one request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                thread = threading.Thread(target=one, args=(connection,))
                threads.append(thread)
                thread.start()

        def one(connection: socket.socket) -> None:
            with connection:
                received = b""
                while b"\r\n\r\n" not in received and (more := connection.recv(65_536)):
                    received += more
                head, _, body = received.partition(b"\r\n\r\n")
                answer(connection, head.decode(), body)

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for thread in threads:
                thread.join()


def reply(connection: socket.socket, status: str, content: bytes, kind: str = "application/json") -> None:
    """A whole answer; the connection ends with it."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode() + content)


def header(head: str, name: str) -> str:
    """A header of a request; "" when it has none."""
    for line in head.split("\r\n")[1:]:
        found, _, value = line.partition(":")
        if found.lower() == name.lower():
            return value.strip()
    return ""


def whole_body(connection: socket.socket, head: str, body: bytes) -> bytes:
    """A request's body to its end."""
    length = int(header(head, "Content-Length"))
    pieces, size = [body], len(body)
    while size < length and (more := connection.recv(1_048_576)):
        pieces.append(more)
        size += len(more)
    return b"".join(pieces)
