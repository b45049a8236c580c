"""The guard at the door for what REST callers have us fetch: connections to public addresses, and to nothing else.

A name is resolved once for each connection, every address of it is looked at, and one of those very addresses is
dialled; there is no second resolution whose outcome could be another. One that is not public refuses the name as a
whole: a name that leads inside is not made good by leading outside, too.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence

import trio

from ..errors import TargetRefused
from .dialling import dial
from .targets import WHO, Allowed, address_mistake, nowhere_else, target_mistake

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Every address of ``host``, in the order in which the system prefers them; OSError when there is none."""
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class AddressGuard:
    """Decides which addresses may be dialled; ``allowed`` lets some pass that are not public."""

    def __init__(self, *, resolve: Resolve = resolve_name, allowed: Allowed = nowhere_else) -> None:
        self._resolve = resolve
        self._allowed = allowed

    def admit(self, url: str, schemes: tuple[str, ...] = ("http", "https")) -> None:
        """TargetRefused when the text of ``url`` says enough to refuse it."""
        mistake = target_mistake(url, schemes=schemes, allowed=self._allowed)
        if mistake is not None:
            raise TargetRefused(mistake)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses of ``host``, each of which may be dialled. TargetRefused, or OSError when there are none."""
        found = await self._resolve(host, port)
        if not found:
            raise OSError(f"no address belongs to {host}")
        for address in found:
            if address_mistake(address, self._allowed) is not None:
                # Which address it is stays untold: names inside a network are not for the caller to map.
                raise TargetRefused(f"{host} leads to an address that is not public; {WHO}")
        return found

    async def connect(self, host: str, port: int) -> trio.SocketStream:
        """A connection to one of the checked addresses of ``host``. TargetRefused or OSError.

        For what does not speak through httpx; its TLS has to verify ``host``, not the address.
        """

        async def attempt(address: str) -> trio.SocketStream:
            return await trio.open_tcp_stream(address, port)

        try:
            return await dial(await self.addresses(host, port), attempt, (OSError,))
        except ExceptionGroup as group:
            raise OSError(f"no address of {host} answers") from group
