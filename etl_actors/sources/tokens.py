"""Tokens of OAuth 2.0: exchanges client credentials for one, keeps it in memory, and has a new one before it expires.

The id and the secret go into a Basic header, which every token endpoint has to understand; one that refuses them there
is asked again with both in the body, and what it took is remembered.
"""

from __future__ import annotations

import re
from collections import deque
from math import inf
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec
import trio
from msgspec import Struct

from ..errors import PollFailed
from ..settings import OAuth2Auth, Secret
from .credentials import basic, forms, hidden_in_url
from .draft import Draft
from .echoes import masked
from .exchange import Answer, fetch
from .verdict import failure
from .wording import one_line

# A token is a few thousand bytes.
_MAX_BYTES = 1_048_576
# A provider may repeat a token that it was sent some polls ago.
_PAST_TOKENS = 16
_EARLY_SECONDS = 60
_EARLY_SHARE = 0.1
_USABLE = re.compile(r"[\x21-\x7e]+")
_MISUNDERSTOOD = frozenset({400, 401})


class _TokenAnswer(Struct):
    access_token: str = ""
    token_type: str = "bearer"  # noqa: S105 - the name of a scheme
    expires_in: int | float | str | None = None
    error: str | None = None
    error_description: str | None = None


class ClientCredentials:
    """Holds the token of one connector."""

    def __init__(self, auth: OAuth2Auth, client: httpx.AsyncClient, timeout_seconds: float) -> None:
        self._auth = auth
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._token = Secret()
        self._stale_at = inf
        self._past: deque[Secret] = deque(maxlen=_PAST_TOKENS)
        self._secret_in_body = False
        self._refreshing = trio.Lock()

    async def apply(self, draft: Draft) -> None:
        """Adds a token that is good for a while; fetches one when there is none. One fetch at a time."""
        async with self._refreshing:
            if not self._token or trio.current_time() >= self._stale_at:
                await self._refresh()
            draft.set_header("Authorization", f"Bearer {self._token.reveal()}")

    def denied(self, draft: Draft) -> bool:
        """Drops the token that ``draft`` carried; a newer one, which another request got meanwhile, stays."""
        if self._token and draft.headers.get("Authorization") == f"Bearer {self._token.reveal()}":
            self._keep(Secret())
        return True

    def secrets(self) -> list[str]:
        """The client's secret in each form, the token and those before it."""
        secret = self._auth.client_secret.reveal()
        hidden = hidden_in_url(self._auth.token_url)
        return forms([secret, *hidden, self._header(), *(token.reveal() for token in (self._token, *self._past))])

    def _keep(self, token: Secret) -> None:
        if self._token:
            self._past.append(self._token)
        self._token = token

    async def _refresh(self) -> None:
        asked_at = trio.current_time()
        try:
            answer = await self._exchange()
        except PollFailed as error:
            # Not chained: the sentence is whole in this one, and what lies beneath may quote the answer.
            raise PollFailed(f"no access token: {error}") from None
        if not 200 <= answer.status < 300:
            said = failure(answer, self.secrets())
            # Wrong client credentials are a 400 as often as a 401 here, and asking again soon does not help either.
            refused = said.refused or answer.status == 400
            raise PollFailed(f"no access token: {said}", retry_after=said.retry_after, refused=refused)
        token, lasts = self._read(answer)
        self._keep(token)
        self._stale_at = asked_at + lasts - min(_EARLY_SECONDS, lasts * _EARLY_SHARE) if lasts < inf else inf

    async def _exchange(self) -> Answer:
        answer = await self._ask(self._secret_in_body)
        if answer.status in _MISUNDERSTOOD:
            other = await self._ask(not self._secret_in_body)
            if 200 <= other.status < 300:
                self._secret_in_body = not self._secret_in_body
                return other
        return answer

    async def _ask(self, secret_in_body: bool) -> Answer:
        form = {"grant_type": "client_credentials"}
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if self._auth.scopes:
            form["scope"] = " ".join(self._auth.scopes)
        if secret_in_body:
            form |= {"client_id": self._auth.client_id, "client_secret": self._auth.client_secret.reveal()}
        else:
            headers["Authorization"] = f"Basic {self._header()}"
        draft = Draft("POST", self._auth.token_url, params={}, headers=headers, body=urlencode(form).encode())
        return await fetch(
            self._client, draft.request(self._client), deadline_seconds=self._timeout_seconds, max_bytes=_MAX_BYTES
        )

    def _header(self) -> str:
        # Both are form-encoded before they are joined: RFC 6749, 2.3.1.
        secret = self._auth.client_secret.reveal()
        return basic(quote_plus(self._auth.client_id, errors="replace"), quote_plus(secret, errors="replace"))

    def _read(self, answer: Answer) -> tuple[Secret, float]:
        """The token and for how many seconds it is good. The body is never quoted: it may hold a token somewhere."""
        try:
            read = msgspec.json.decode(answer.body, type=_TokenAnswer)
            lasts = inf if read.expires_in is None else max(0.0, float(read.expires_in))
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise PollFailed("no access token: the answer of the token endpoint is not the JSON it should be") from None
        if read.error or not _USABLE.fullmatch(read.access_token):
            words = one_line(masked(read.error_description or read.error or "", self.secrets()))
            raise PollFailed(
                "no access token: there is none in the answer of the token endpoint" + (f": {words}" if words else "")
            )
        if read.token_type.lower() != "bearer":
            raise PollFailed("no access token: the token endpoint gives tokens of a type other than Bearer")
        return Secret(read.access_token), lasts
