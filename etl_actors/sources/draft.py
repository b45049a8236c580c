"""A request that is not sent yet: the very text of its url, to which credentials are added.

The query is percent-encoded once, here, and goes out as it is. A signature is made over these bytes, so nothing may
encode, decode or sort them later.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import httpx


class Draft:
    """Method, url, headers and body of one request. It has no repr of its own, because it holds credentials."""

    def __init__(
        self, method: str, url: str, *, params: Mapping[str, str], headers: Mapping[str, str], body: bytes = b""
    ) -> None:
        self.method = method
        self.headers = httpx.Headers(dict(headers))
        self.body = body
        self._url = httpx.URL(url)
        # A query in the url stays; httpx's own params argument would replace it.
        if params:
            self._merge(params)

    @property
    def url(self) -> httpx.URL:
        """The whole url, credentials in its query included."""
        return self._url

    @property
    def query(self) -> bytes:
        """The query as it will be sent."""
        return self._url.query

    def set_header(self, name: str, value: str) -> None:
        """One more header, in place of one of the same name; ValueError for what is not ASCII."""
        # httpx by itself would fall back to UTF-8, which no provider reads a key in.
        value.encode("ascii")
        self.headers[name] = value

    def put(self, name: str, value: str) -> None:
        """One more parameter; it takes the place of one of the same name."""
        self._merge({name: value})

    def append(self, name: str, value: str) -> None:
        """One more parameter, behind all others, which stay byte for byte."""
        pair = f"{quote(name, safe='')}={quote(value, safe='')}".encode()
        self._url = self._url.copy_with(query=self.query + b"&" + pair if self.query else pair)

    def request(self, client: httpx.AsyncClient) -> httpx.Request:
        """The request, with the headers that ``client`` adds to every one."""
        return client.build_request(self.method, self._url, headers=self.headers, content=self.body or None)

    def _merge(self, params: Mapping[str, str]) -> None:
        merged = self._url.copy_merge_params(dict(params))
        # httpx writes a space as "+", which not every provider reads as one; a real "+" is "%2B" by now.
        self._url = merged.copy_with(query=merged.query.replace(b"+", b"%20"))
