"""Credentials that stay the same from request to request: none, a key, a bearer token, a name and a password."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import httpx

from ..settings import ApiKeyAuth, BasicAuth, Secret
from ..settings.disclosure import sounds_secret
from .draft import Draft

DEFAULT_KEY_HEADER = "X-API-Key"


class NoCredentials:
    """The provider asks for none, or none were given."""

    async def apply(self, draft: Draft) -> None:
        """Adds nothing."""

    def denied(self, draft: Draft) -> bool:
        """There are no others."""
        return False

    def secrets(self) -> list[str]:
        """None."""
        return []


class ApiKey(NoCredentials):
    """A key in a header or in a query parameter."""

    def __init__(self, auth: ApiKeyAuth) -> None:
        self._auth = auth

    async def apply(self, draft: Draft) -> None:
        """Puts the key where the settings say, in place of what stands there."""
        key = self._auth.prefix + self._auth.value.reveal()
        if self._auth.param:
            draft.put(self._auth.param, key)
        else:
            draft.set_header(self._auth.header or DEFAULT_KEY_HEADER, key)

    def secrets(self) -> list[str]:
        """The key."""
        return forms([self._auth.value.reveal()])


class Bearer(NoCredentials):
    """A token that a person was given."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def apply(self, draft: Draft) -> None:
        """Puts the token into ``Authorization``."""
        draft.set_header("Authorization", f"Bearer {self._token.reveal()}")

    def secrets(self) -> list[str]:
        """The token."""
        return forms([self._token.reveal()])


class Basic(NoCredentials):
    """A name and a password."""

    def __init__(self, auth: BasicAuth) -> None:
        self._auth = auth

    async def apply(self, draft: Draft) -> None:
        """Puts both into ``Authorization``."""
        pair = basic(self._auth.username.reveal(), self._auth.password.reveal())
        draft.set_header("Authorization", f"Basic {pair}")

    def secrets(self) -> list[str]:
        """Both, and the one text they travel as."""
        username, password = self._auth.username.reveal(), self._auth.password.reveal()
        return forms([username, password, basic(username, password)])


def basic(username: str, password: str) -> str:
    """The two as HTTP's Basic scheme joins them."""
    # Half a character, which an environment can hold, is replaced: what hides secrets must not fail.
    return b64encode(f"{username}:{password}".encode(errors="replace")).decode()


def forms(secrets: Iterable[str]) -> list[str]:
    """Each text as it is and as a query carries it, so that a provider that repeats a query shows nothing."""
    found: dict[str, None] = {}
    for text in secrets:
        quoted = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
        found |= dict.fromkeys(form for form in (text, *quoted) if form)
    return list(found)


def hidden_in_url(text: str) -> list[str]:
    """The secrets in a url of a config file: its user, and parameters that sound like it."""
    url = httpx.URL(text)
    hidden = [value for name, value in url.params.multi_items() if sounds_secret(name)]
    if url.userinfo:
        hidden += [url.username, url.password, basic(url.username, url.password)]
    return hidden
