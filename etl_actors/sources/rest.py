"""A source that asks one url: builds the request of a connector, and reads what its status means.

A 2xx is a reading, a 304 is "nothing new", and everything else is :class:`~etl_actors.errors.PollFailed` with the
status, the provider's own words where it has any, and how long to stay away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from ..errors import PollFailed
from ..messages import Checkpoint, Reading
from ..settings import ApiKeyAuth, ConnectorSettings
from ..settings.service import Upstream
from .discretion import bare
from .exchange import Answer, fetch
from .provider_words import masked, provider_words
from .retry_after import retry_after_seconds
from .wording import one_line

DEFAULT_KEY_HEADER = "X-API-Key"
_REFUSALS = frozenset({401, 403, 451})
_BANNED = 418
_TOO_MANY = 429
_LONGEST_VALIDATOR = 1024
_SECRETIVE = re.compile(r"auth|key|token|secret|cookie|pass|signature", re.IGNORECASE)


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
        self._params = connector.request_params()

    async def poll(self, checkpoint: Checkpoint) -> Reading | None:
        """What the provider says now; None when it says that nothing changed since ``checkpoint``."""
        request = self._request(checkpoint)
        answer = await fetch(
            self._client,
            request,
            deadline_seconds=self._connector.timeout_seconds,
            max_bytes=self._max_bytes,
            now=self._now,
        )
        if self._observe is not None:
            self._observe(answer.headers)
        if 200 <= answer.status < 300:
            return self._reading(answer)
        if answer.status == 304 and ("if-none-match" in request.headers or "if-modified-since" in request.headers):
            return None
        raise self._failure(answer)

    def _request(self, checkpoint: Checkpoint) -> httpx.Request:
        headers = dict(self._connector.headers) | self._validators(checkpoint)
        params = dict(self._params)
        auth = self._connector.auth
        if isinstance(auth, ApiKeyAuth) and auth.value:
            key = auth.prefix + auth.value.reveal()
            if auth.param:
                params[auth.param] = key
            else:
                headers[auth.header or DEFAULT_KEY_HEADER] = key
        try:
            url = httpx.URL(self._connector.url)
            # A query in the url stays; httpx's own params argument would replace it.
            return self._client.build_request(
                self._connector.method, url.copy_merge_params(params) if params else url, headers=headers
            )
        except (httpx.InvalidURL, ValueError):
            # Not chained: these errors quote the value that cannot be sent, which may be the key.
            reason = (
                "the request cannot be sent: its url or one of its headers holds characters that HTTP does not allow"
            )
            raise PollFailed(reason) from None

    def _validators(self, checkpoint: Checkpoint) -> dict[str, str]:
        # With store = "all" every answer is wanted whole, the same one again too.
        if self._connector.store != "changed" or checkpoint.fingerprint != self._fingerprint:
            return {}
        told = {"If-None-Match": checkpoint.etag, "If-Modified-Since": checkpoint.last_modified}
        return {name: value for name, value in told.items() if value}

    def _reading(self, answer: Answer) -> Reading:
        return Reading(
            body=answer.body,
            received_at=answer.received_at,
            response_time_ms=answer.response_time_ms,
            etag=_validator(answer.headers.get("etag")),
            last_modified=_validator(answer.headers.get("last-modified")),
            params=self._params,
        )

    def _failure(self, answer: Answer) -> PollFailed:
        retry_after = retry_after_seconds(
            answer.headers.get("retry-after"), date=answer.headers.get("date"), now=answer.received_at
        )
        # Who says "too many" and not for how long is asked as rarely as one who refuses.
        unsaid = answer.status == _TOO_MANY and retry_after is None
        return PollFailed(
            self._sentence(answer, retry_after),
            retry_after=retry_after,
            refused=answer.status in _REFUSALS or unsaid,
            banned=answer.status == _BANNED,
        )

    def _sentence(self, answer: Answer, retry_after: float | None) -> str:
        if 300 <= answer.status < 400:
            return masked(_moved(answer), self._secrets())
        words = provider_words(answer.body, secrets=self._secrets())
        wait = "" if retry_after is None else f"; asks to wait {retry_after:g} s"
        return f"HTTP {answer.status} ({_phrase(answer.status)})" + (f": {words}" if words else "") + wait

    def _secrets(self) -> list[str]:
        """What the provider may repeat and must not be shown: the key, and what people hide in headers and params."""
        auth = self._connector.auth
        keys = [auth.value.reveal()] if isinstance(auth, ApiKeyAuth) and auth.value else []
        for table in (self._connector.headers, self._params):
            keys += [value for name, value in table.items() if value and _SECRETIVE.search(name)]
        return keys + [str(httpx.QueryParams({"k": key}))[2:] for key in keys]


def _validator(value: str | None) -> str | None:
    return value if value and len(value) <= _LONGEST_VALIDATOR else None


def _moved(answer: Answer) -> str:
    if answer.status == 304:
        return "HTTP 304 (Not Modified) although nothing was known that could be unmodified"
    try:
        where = one_line(bare(httpx.URL(answer.headers["location"])))
    except (KeyError, httpx.InvalidURL, ValueError):
        return f"HTTP {answer.status} ({_phrase(answer.status)}), and redirects are not followed"
    return f"HTTP {answer.status} ({_phrase(answer.status)}): this moved to {where}; redirects are not followed"


def _phrase(status: int) -> str:
    if status == _BANNED:
        return "this address is banned"
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown status"
