"""The gate: every request and every socket passes it before its view, or is told what is missing."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
import trio
from quart import Request, Response, Websocket, g, request, websocket
from quart_trio import QuartTrio

from ...keys import LONGEST_KEY, Caller, Scope
from ..origins import SAFE_METHODS, may_ride
from ..problems import Problem
from .forwarding import Forwarding, NotForwarded, plain_address
from .hosts import KnownHosts
from .policy import AccessPolicy
from .presented import NotPresented, presented_key
from .rates import TokenBuckets
from .rules import administers_keys, is_page_for_people, need_of
from .sessions import Sessions

log = structlog.get_logger("access")

MAX_HEADER_BYTES = 16_384
MAX_URL_BYTES = 8_192
MOST_PROVEN = 1_000

_REALM = 'Bearer realm="etl-actors"'
_REFUSAL = "etl_actors.refusal"
_EVERYBODY = Caller(scope="admin", name="everybody")
_HOW = (
    "send it as Authorization: Bearer KEY, or as X-API-Key; the first one is ETL_ADMIN_KEY, or lies in admin.key of the"
    " data folder, and etl-actors keys create makes more"
)

App = Callable[[Any, Any, Any], Awaitable[None]]


def caller() -> Caller:
    """Who asks, in a view that is not open to everybody: ``caller().may("write")``."""
    return cast("Caller", g.caller)


def session_token() -> str | None:
    """The token of the session that the caller came in by; None for one who showed a key, or nothing."""
    return cast("str | None", g.get("session_token"))


class Gate:
    """Knows who asks, and whether they may."""

    def __init__(self, policy: AccessPolicy) -> None:
        self._policy = policy
        self._doorkeeper = policy.doorkeeper
        self._forwarding = Forwarding(policy.trusted_proxies)
        self._hosts = KnownHosts(policy.listened_host, policy.cors_origins)
        self._failures = TokenBuckets(policy.failed_keys_per_minute)
        self._proven: OrderedDict[str, None] = OrderedDict()  # addresses that showed a right key, the latest last
        self._requests = TokenBuckets(policy.requests_per_minute) if policy.requests_per_minute else None
        self.sessions = Sessions(policy.session_secret, lambda key_id: policy.doorkeeper.known_nowait(key_id))

    def front(self, app: App) -> App:
        """``app`` behind what must be done before a request is looked at: its size, and what proxies tell."""

        async def fronted(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] in {"http", "websocket"}:
                scope[_REFUSAL] = _size_problem(scope)
                try:
                    self._forwarding.honour(scope)
                except NotForwarded as error:
                    scope[_REFUSAL] = Problem(400, "Forwarded headers refused", str(error))
            await app(scope, receive, send)

        return fronted

    async def admit(self, asked: Request | Websocket) -> Caller | None:
        """Who asks, or None where everybody may; raises the :class:`Problem` of those who may not."""
        refusal: Problem | None = cast("dict[str, Any]", asked.scope).get(_REFUSAL)
        if refusal is not None:
            raise refusal
        rule = None if asked.url_rule is None else asked.url_rule.rule
        is_socket = asked.scope["type"] == "websocket"
        need = need_of(rule, asked.method)
        if need == "nothing":
            return None
        key = _shown(asked, is_socket, keys_required=self._policy.keys_required)
        if key is not None:
            found: Caller | None = await self.authenticate(key, asked)
        else:
            found = self._by_cookie(asked, changing=is_socket or asked.method not in SAFE_METHODS)
        if found is None:
            found = self._anybody(asked, rule)
        self._count(found, asked)
        if not found.may(need):
            raise _forbidden(found, need)
        return found

    async def authenticate(self, key: str, asked: Request | Websocket) -> Caller:
        """Whose key this is; a wrong one is 401, and many wrong ones from one address are 429 for a while.

        A key of ours cannot be guessed, so one that is known is let in even then. One that a person made up could be,
        so it waits with the others, but not where it was shown before: strangers behind the same proxy lock nobody out.
        """
        found = self._doorkeeper.recognise_nowait(key)
        if found is not None:
            return found
        address, now = _address(asked), trio.current_time()
        wait = self._failures.wait(address, now)
        found = None
        if len(key) <= LONGEST_KEY and (wait == 0 or address in self._proven):
            found = await self._doorkeeper.recognise(key)
        if found is None:
            if wait > 0:
                raise _too_many("too many wrong keys came from this address", wait)
            self._failures.take(address, now)
            log.warning("access.key_refused", address=address)
            raise unauthorised("this key is not known here, was revoked, or has expired", error="invalid_token")
        self._proven[address] = None
        self._proven.move_to_end(address)
        if len(self._proven) > MOST_PROVEN:
            self._proven.popitem(last=False)
        return found

    def _by_cookie(self, asked: Request | Websocket, *, changing: bool) -> Caller | None:
        token = asked.cookies.get(self.sessions.cookie_name)
        found = None if token is None else self.sessions.caller(token)
        if found is not None and changing and not self._may_ride(asked):
            raise Problem(
                403,
                "Not asked by our page",
                "a session counts only for requests of the page that logged in: show a key",
            )
        if found is not None:
            g.session_token = token
        return found

    def _may_ride(self, asked: Request | Websocket) -> bool:
        origin, site = asked.headers.get("Origin"), asked.headers.get("Sec-Fetch-Site")
        return may_ride(origin, site, asked.host, self._policy.cors_origins)

    def _anybody(self, asked: Request | Websocket, rule: str | None) -> Caller:
        """Nobody in particular: welcome where no keys are asked for."""
        if self._policy.keys_required or administers_keys(rule):
            raise unauthorised(f"this needs a key: {_HOW}")
        host = asked.headers.get("Host", "")
        if not self._hosts.knows(host):
            raise Problem(
                421,
                "Not known by this name",
                "without keys this service answers only to this machine's own names, against DNS rebinding:"
                ' ask for 127.0.0.1 or localhost, name the host in [server] cors_origins, or set require_keys = "yes"',
            )
        return _EVERYBODY

    def _count(self, found: Caller, asked: Request | Websocket) -> None:
        if self._requests is not None:
            name = _address(asked) if found.key_id is None else f"key {found.key_id}"
            wait = self._requests.take(name, trio.current_time())
            if wait > 0:
                most = self._policy.requests_per_minute
                raise _too_many(f"[security] requests_per_minute allows {most:,} requests a minute", wait)


def install_gate(app: QuartTrio, policy: AccessPolicy) -> Gate:
    """Let nothing reach a view that has not passed."""
    gate = Gate(policy)
    app.asgi_app = gate.front(app.asgi_app)  # type: ignore[method-assign,assignment]  # how middleware is installed in Quart

    @app.before_request
    async def _admit_request() -> Response | None:
        try:
            g.caller = await gate.admit(request)
        except Problem as refusal:
            if refusal.status == 401 and _is_person_without_key(request):
                # Where one logs in, and is led back from.
                return Response(b"", status=303, headers={"Location": f"/dashboard?next={request.path}"})
            raise
        return None

    @app.before_websocket
    async def _admit_socket() -> None:
        g.caller = await gate.admit(websocket)

    return gate


def _is_person_without_key(asked: Request) -> bool:
    rule = None if asked.url_rule is None else asked.url_rule.rule
    shows_key = any(name in asked.headers for name in ("Authorization", "X-API-Key")) or "key" in asked.args
    return not shows_key and is_page_for_people(rule, asked.method, asked.accept_mimetypes.values())


def unauthorised(detail: str, *, error: str | None = None) -> Problem:
    """401, and how to do better."""
    challenge = _REALM if error is None else f'{_REALM}, error="{error}"'
    return Problem(401, "Key needed", detail, headers={"WWW-Authenticate": challenge})


def _forbidden(found: Caller, need: Scope) -> Problem:
    return Problem(
        403,
        "Scope missing",
        f"this needs a key with the scope {need!r}; this one has {found.scope!r}",
        headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{need}"'},
    )


def _too_many(detail: str, wait_seconds: float) -> Problem:
    seconds = math.ceil(wait_seconds)
    return Problem(
        429, "Too many requests", f"{detail}; try again in {seconds} s", headers={"Retry-After": str(seconds)}
    )


def _shown(asked: Request | Websocket, is_socket: bool, *, keys_required: bool) -> str | None:
    query = asked.args.getlist("key")
    if query and not is_socket:
        raise unauthorised(f"a key in the address ends up in logs and histories, so it counts on /ws only: {_HOW}")
    offered = asked.requested_subprotocols if isinstance(asked, Websocket) else []
    authorization = asked.headers.getlist("Authorization")
    if not keys_required:
        # A proxy with a login of its own passes on what it was shown; that is not for us.
        authorization = [one for one in authorization if one.strip().lower().startswith("bearer")]
    try:
        return presented_key(
            authorization,
            asked.headers.getlist("X-API-Key"),
            subprotocols=offered,
            query=query,
        )
    except NotPresented as error:
        if error.status == 401:
            raise unauthorised(str(error), error="invalid_request") from None
        raise Problem(error.status, "Which key?", str(error)) from None


def _address(asked: Request | Websocket) -> str:
    """What counts as one client: an IPv4 address, or the network that one customer has of IPv6."""
    address = plain_address((asked.scope.get("client") or ("", 0))[0])
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _size_problem(scope: Any) -> Problem | None:
    """Hypercorn bounds what it holds of a head; here the bound is the same however the head was cut into packets."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URL_BYTES:
        return Problem(414, "Address too long", f"an address may be {MAX_URL_BYTES:,} bytes long at most")
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        return Problem(431, "Headers too large", f"all headers may be {MAX_HEADER_BYTES:,} bytes long at most")
    return None
