"""Where a caller shows a key: ``Authorization: Bearer``, ``X-API-Key``, and on a socket also subprotocol and query.

A browser cannot give a WebSocket any header, so its key travels as the second of two subprotocols::

    new WebSocket(url, ["etl-actors", "etl-actors.key.etl_…"])

The first is the one the service answers with; a key is never sent back. ``["bearer", "etl_…"]`` is understood too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ...keys import KEY_FORM

SUBPROTOCOL = "etl-actors"
KEY_SUBPROTOCOL = "etl-actors.key."
# After one of these the next subprotocol is a key, whatever it looks like.
_HERALDS = frozenset({SUBPROTOCOL, "bearer"})


class NotPresented(ValueError):
    """A key was meant to be shown, and was not. ``status`` is 400 or 401; the text repeats nothing of what came."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def presented_key(
    authorization: Sequence[str], api_key: Sequence[str], *, subprotocols: Sequence[str] = (), query: Sequence[str] = ()
) -> str | None:
    """The one key that is shown, or None. Raises :class:`NotPresented`.

    The arguments are all values of the two headers, the subprotocols offered and the values of ``?key=``.
    """
    shown = {
        *map(_bearer, authorization),
        *map(_plain, api_key),
        *(key for key, _ in _told_apart(subprotocols) if key),
        *map(_plain, query),
    }
    if len(shown) > 1:
        raise NotPresented(400, "two different keys are shown; show one")
    return shown.pop() if shown else None


def answered_subprotocol(subprotocols: Iterable[str]) -> str | None:
    """The first subprotocol offered that is no key: a browser wants one of them back, and a key is not told again."""
    return next((offered for key, offered in _told_apart(list(subprotocols)) if not key), None)


def _bearer(value: str) -> str:
    scheme, _, key = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotPresented(401, "Authorization must be written as: Bearer KEY")
    return key.strip()


def _plain(value: str) -> str:
    if not value.strip():
        raise NotPresented(401, "the key is empty")
    return value.strip()


def _told_apart(subprotocols: Sequence[str]) -> Iterator[tuple[str, str]]:
    """``(key, as offered)``; the key is empty where none is meant."""
    before = ""
    for offered in subprotocols:
        if offered.startswith(KEY_SUBPROTOCOL):
            yield offered.removeprefix(KEY_SUBPROTOCOL), offered
        elif KEY_FORM.fullmatch(offered) or before.lower() in _HERALDS:
            yield offered, offered
        else:
            yield "", offered
        before = offered
