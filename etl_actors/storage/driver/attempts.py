"""Which addresses to try, in order, for one connection string.

libpq's non-blocking connect resolves names in the calling thread, which would hold the event loop, and tries its
addresses without a time limit of its own. So every host of the string is resolved here, on trio, and every address
becomes an attempt by itself.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from random import shuffle
from typing import TypeAlias

import trio
from psycopg import OperationalError
from psycopg._conninfo_utils import get_param, is_ip_address, split_attempts

Parameters: TypeAlias = dict[str, str | int | None]


async def connection_attempts(parameters: Mapping[str, str | int | None]) -> list[Parameters]:
    """Split parsed parameters into one set for each address; honours ``load_balance_hosts`` and ``prefer-standby``.

    Raises ``psycopg.OperationalError`` when no host has an address.
    """
    attempts: list[Parameters] = []
    failures: list[str] = []
    wanted = dict(parameters)
    prefer_standby = get_param(wanted, "target_session_attrs") == "prefer-standby"
    if prefer_standby:
        # A wish over all hosts, which a single attempt cannot see: first every host as a standby, then any.
        wanted["target_session_attrs"] = "any"
    for one_host in split_attempts(wanted):
        try:
            attempts += await _resolved(one_host)
        except OSError as error:
            failures.append(f"failed to resolve host {one_host.get('host')!r}: {error}")
    if not attempts:
        raise OperationalError("; ".join(failures))
    if get_param(wanted, "load_balance_hosts") == "random":
        shuffle(attempts)
    if prefer_standby:
        attempts = [{**attempt, "target_session_attrs": "standby"} for attempt in attempts] + attempts
    return attempts


async def _resolved(attempt: Parameters) -> list[Parameters]:
    host = get_param(attempt, "host")
    if not host or host.startswith(("/", "@")) or get_param(attempt, "hostaddr"):
        return [attempt]
    if is_ip_address(host):
        return [{**attempt, "hostaddr": host}]
    port = get_param(attempt, "port") or "5432"
    found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    # ``host`` stays, since certificates and password files go by the name.
    return [{**attempt, "hostaddr": str(address[0])} for *_, address in found]
