"""The address of each page of a connector: its own url, or a link that the provider gave.

Credentials travel with every page, so a link is followed only to where the connector's own url leads: the same scheme,
host and port. It is handed out, to be remembered, without what proves who asks: the parameters that ``auth`` adds,
those of the connector whose names say that they are secret, and a user. They are put in again when it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from ..errors import LinkRefused
from ..messages import Page
from ..settings import ConnectorSettings
from ..settings.disclosure import sounds_secret
from .auth import query_names
from .draft import Draft

_LONGEST_LINK = 8_192
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Addressing:
    """Makes the drafts of one connector; ValueError or httpx.InvalidURL for what cannot be sent."""

    def __init__(self, connector: ConnectorSettings) -> None:
        self._connector = connector
        self.params = connector.request_params()
        self._added_by_auth = query_names(connector.auth)

    def draft(self, page: Page, headers: Mapping[str, str]) -> Draft:
        """The request for ``page``, without credentials. LinkRefused when its link leads elsewhere."""
        method, url = self._connector.method, self._connector.url
        if page.link is None:
            return Draft(method, url, params=self.params | page.params, headers=headers)
        own, link = httpx.URL(url), _url(page.link)
        if _origin(link) != _origin(own):
            raise LinkRefused(
                f"the next page lies at {_shown(link)}, not at {_shown(own)};"
                " credentials are not carried there, so it is not read"
            )
        return Draft(method, str(link.copy_with(userinfo=own.userinfo)), params=self._secretive(own), headers=headers)

    def next_link(self, target: str | None, asked: httpx.URL) -> str | None:
        """``target``, as the answer to ``asked`` has it, as a url to remember. One that cannot be sent stays as it is:
        the answer is good, and it is the next page that will fail.
        """
        if target is None:
            return None
        try:
            return str(self._bare(asked.join(target)))
        except (httpx.InvalidURL, ValueError):
            return target

    def _bare(self, url: httpx.URL) -> httpx.URL:
        hidden = self._added_by_auth | self._secretive(httpx.URL(self._connector.url)).keys()
        pieces = [piece for piece in url.query.split(b"&") if _name(piece) not in hidden]
        # An empty query and none are two urls.
        query = b"&".join(pieces) if url.query else None
        return url.copy_with(userinfo=b"", fragment=None, query=query or None)

    def _secretive(self, own: httpx.URL) -> dict[str, str]:
        return {name: value for name, value in {**own.params, **self.params}.items() if sounds_secret(name)}


def _url(link: str) -> httpx.URL:
    try:
        if len(link) <= _LONGEST_LINK:
            return httpx.URL(link)
    except httpx.InvalidURL:
        pass
    raise LinkRefused("the Link header names a next page, and its url is not one that can be asked for")


def _name(piece: bytes) -> str | None:
    return next(iter(httpx.QueryParams(piece.decode("ascii", errors="replace"))), None)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


def _shown(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii', errors='replace')[:100]}"
