"""A source that asks one url: builds the request of a connector, and reads what its status means.

A 2xx is a reading, a 304 is "nothing new", and everything else is :class:`~etl_actors.errors.PollFailed`. After a 401
the request is sent once more when other credentials can be had. Of a list that comes in pages one page is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx

from ..errors import PollFailed
from ..messages import Checkpoint, Page, Reading
from ..settings import ConnectorSettings
from ..settings.disclosure import open_params, sounds_secret
from ..settings.service import Upstream
from .addressing import Addressing
from .auth import authenticator
from .credentials import forms, hidden_in_url
from .draft import Draft
from .echoes import masked_body, without_echoes
from .exchange import Answer, fetch
from .link_header import next_target
from .verdict import failure

_LONGEST_VALIDATOR = 1024
WHOLE = Page()


class RestSource:
    """Polls ``connector.url``. ``observe`` sees the headers of every answer, whatever its status."""

    def __init__(
        self,
        connector: ConnectorSettings,
        client: httpx.AsyncClient,
        upstream: Upstream,
        *,
        observe: Callable[[Mapping[str, str]], None] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connector = connector
        self._client = client
        self._max_bytes = upstream.max_response_bytes
        self._observe = observe
        self._now = now
        self._fingerprint = connector.fingerprint()
        self._addressing = Addressing(connector)
        self._auth = authenticator(connector.auth, client, timeout_seconds=connector.timeout_seconds, now=now)

    async def poll(self, checkpoint: Checkpoint, page: Page = WHOLE) -> Reading | None:
        """What the provider says now; None when it says that nothing changed since ``checkpoint``."""
        draft, answer = await self._ask(checkpoint, page)
        if answer.status == 401 and self._auth.denied(draft):
            draft, answer = await self._ask(checkpoint, page)
        if 200 <= answer.status < 300:
            return await self._reading(answer, page, draft.url)
        if answer.status == 304 and ("if-none-match" in draft.headers or "if-modified-since" in draft.headers):
            return None
        raise failure(answer, self._secrets())

    async def _ask(self, checkpoint: Checkpoint, page: Page) -> tuple[Draft, Answer]:
        draft, request = await self._request(checkpoint, page)
        answer = await fetch(
            self._client,
            request,
            deadline_seconds=self._connector.timeout_seconds,
            max_bytes=self._max_bytes,
            now=self._now,
        )
        if self._observe is not None:
            self._observe(answer.headers)
        return draft, answer

    async def _request(self, checkpoint: Checkpoint, page: Page) -> tuple[Draft, httpx.Request]:
        try:
            draft = self._addressing.draft(page, self._connector.headers | self._validators(checkpoint))
            await self._auth.apply(draft)
            return draft, draft.request(self._client)
        except (httpx.InvalidURL, ValueError):
            # Not chained: these errors quote the value that cannot be sent, which may be the key.
            reason = (
                "the request cannot be sent: its url or one of its headers holds characters that HTTP does not allow"
            )
            raise PollFailed(reason) from None

    def _validators(self, checkpoint: Checkpoint) -> dict[str, str]:
        # They belong to one url: those of one page, or of what came after one cursor, say nothing about another.
        if self._connector.pagination is not None or self._connector.cursor is not None:
            return {}
        # With store = "all" every answer is wanted whole, the same one again too.
        if self._connector.store != "changed" or checkpoint.fingerprint != self._fingerprint:
            return {}
        told = {"If-None-Match": checkpoint.etag, "If-Modified-Since": checkpoint.last_modified}
        return {name: value for name, value in told.items() if value}

    async def _reading(self, answer: Answer, page: Page, asked: httpx.URL) -> Reading:
        secrets = self._secrets()
        return Reading(
            body=await masked_body(answer.body, secrets),
            received_at=answer.received_at,
            response_time_ms=answer.response_time_ms,
            etag=_validator(answer.headers.get("etag"), secrets),
            last_modified=_validator(answer.headers.get("last-modified"), secrets),
            params=open_params(self._connector) | page.params,
            next_link=self._next_link(answer, asked, secrets),
        )

    def _next_link(self, answer: Answer, asked: httpx.URL, secrets: list[str]) -> str | None:
        # What is remembered is stored. A link that holds a credential in a place of its own cannot be asked for then.
        link = self._addressing.next_link(next_target(answer.headers.get("link")), asked)
        return None if link is None else without_echoes(link.encode(errors="replace"), secrets).decode()

    def _secrets(self) -> list[str]:
        """What the provider may repeat and must not be shown: credentials, also those in url, headers and params."""
        tables = (self._connector.headers, self._addressing.params)
        hidden = [value for table in tables for name, value in table.items() if sounds_secret(name)]
        return self._auth.secrets() + forms([*hidden, *hidden_in_url(self._connector.url)])


def _validator(value: str | None, secrets: list[str]) -> str | None:
    if not value or len(value) > _LONGEST_VALIDATOR:
        return None
    written = value.encode(errors="replace")
    return value if without_echoes(written, secrets) is written else None
