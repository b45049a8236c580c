"""Takes our credentials out of what a provider says: some repeat in an answer what they were sent.

What an answer holds is stored, shown and sent to every subscriber, so a key that stands in it would be given to all of
them. To find a secret costs one look for a piece of it that stays as it is however it is written; only around such a
piece is it compared letter by letter, so an answer that holds none is looked through at the speed of memory. Very short
secrets are left, since they would be found in anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

import trio

from ..settings.secret import MASK
from .spellings import longest, plain_piece, spelled

SHORTEST = 8
_MASK = MASK.encode()
# To look through this much takes a millisecond or two; more goes to a worker thread, and there in slices, between which
# the loop gets its turn.
_LARGE_BYTES = 1_048_576
_SLICE_BYTES = 4_194_304
_WINDOW_BYTES = 65_536


async def masked_body(body: bytes, secrets: Iterable[str]) -> bytes:
    """As :func:`without_echoes`; a large body in a worker thread, and not to be cancelled: it was read whole."""
    if len(body) < _LARGE_BYTES:
        body = without_echoes(body, secrets)
    else:
        with trio.CancelScope(shield=True):
            body = await trio.to_thread.run_sync(without_echoes, body, list(secrets))
    return body


def without_echoes(body: bytes, secrets: Iterable[str]) -> bytes:
    """``body`` with ``***`` in the place of each secret; the longest first, since one may be part of another."""
    for text in sorted({text for text in secrets if len(text) >= SHORTEST}, key=len, reverse=True):
        for piece in plain_piece(text):
            body = _without(body, text, piece)
    return body


def masked(text: str, secrets: Iterable[str]) -> str:
    """``text`` of a sentence without the secrets, the very short ones too: a sentence can do without them."""
    known = list(secrets)
    text = without_echoes(text.encode("utf-8", "surrogatepass"), known).decode("utf-8", "surrogatepass")
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _without(body: bytes, text: str, piece: bytes) -> bytes:
    reach = longest(text)
    kept: list[bytes] = []
    done = looked = 0
    for place in _places(body, piece):
        if place + reach <= looked:
            continue
        start, looked = max(done, place - reach), place + max(reach, _WINDOW_BYTES)
        for found in _forms(text).finditer(body, start, looked):
            kept += [body[done : found.start()], _MASK]
            done = found.end()
    return b"".join([*kept, body[done:]]) if kept else body


def _places(body: bytes, piece: bytes) -> Iterator[int]:
    for start in range(0, len(body), _SLICE_BYTES):
        end = start + _SLICE_BYTES + len(piece) - 1
        place = body.find(piece, start, end)
        while place >= 0:
            yield place
            place = body.find(piece, place + 1, end)


@lru_cache(maxsize=256)
def _forms(text: str) -> re.Pattern[bytes]:
    return re.compile(spelled(text))
