"""Which authenticator a connector's ``auth`` asks for; what each one promises.

Credentials are put on a :class:`~.draft.Draft` just before it is sent. An empty value, a variable that is not set,
means that nothing is sent: keyless plans are real, and an empty credential would be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, assert_never

import httpx

from ..settings import ApiKeyAuth, Auth, BasicAuth, BearerAuth, HmacAuth, NoAuth, OAuth2Auth
from .credentials import ApiKey, Basic, Bearer, NoCredentials
from .draft import Draft
from .signing import Signer
from .tokens import ClientCredentials


class Authenticator(Protocol):
    """Proves to a provider who asks."""

    async def apply(self, draft: Draft) -> None:
        """Adds the credentials. PollFailed when there are none to be had now, ValueError when they cannot be sent."""

    def denied(self, draft: Draft) -> bool:
        """The provider answered 401 to ``draft``; whether other credentials may be had, so that asking again helps."""

    def secrets(self) -> list[str]:
        """Everything that must not be shown, in each form in which it travels."""


def authenticator(
    auth: Auth, client: httpx.AsyncClient, *, timeout_seconds: float, now: Callable[[], datetime]
) -> Authenticator:
    """The one for ``auth``. ``now`` is the wall clock that signatures carry; the timeout is for fetching a token."""
    match auth:
        case NoAuth():
            return NoCredentials()
        case ApiKeyAuth():
            return ApiKey(auth) if auth.value else NoCredentials()
        case BearerAuth():
            return Bearer(auth.token) if auth.token else NoCredentials()
        case BasicAuth():
            return Basic(auth) if auth.username and auth.password else NoCredentials()
        case HmacAuth():
            return Signer(auth, now) if auth.key and auth.secret else NoCredentials()
        case OAuth2Auth():
            given = auth.client_id and auth.client_secret
            return ClientCredentials(auth, client, timeout_seconds) if given else NoCredentials()
        case _:
            assert_never(auth)


def query_names(auth: Auth) -> frozenset[str]:
    """The query parameters that ``auth`` adds to a request."""
    match auth:
        case ApiKeyAuth(param=param) if param:
            return frozenset({param})
        case HmacAuth():
            return frozenset({auth.timestamp_param, auth.signature_param, "recvWindow"})
    return frozenset()
