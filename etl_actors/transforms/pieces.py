"""A large JSON text, taken in pieces, so that no single step holds the interpreter for long. For worker threads.

A decoder of C lets nobody else run until it is through, from a thread as well. So what is large is first cut into its
elements, which costs a fraction of decoding it, and these are decoded one by one.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import msgspec
from msgspec import Raw

# What is smaller is decoded or looked at in one step: one or two milliseconds.
PIECE_BYTES = 262_144

# What is cut is looked at once for each level, so only the outer ones are.
_LEVELS = 8
_BACKSLASH = ord("\\")
# Possessive, so that no body can make it slow.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# As far as no text is begun and not ended.
_WHOLE = re.compile(rb'(?:[^"]++|%b)*+' % _TEXT.pattern, re.DOTALL)
_SIGNS, _EMPTY = (b",", b"[", b"{"), (b"[]", b"{}")
_split_list = msgspec.json.Decoder(list[Raw]).decode
_split_object = msgspec.json.Decoder(dict[str, Raw]).decode


def has_more_values(body: bytes, most: int) -> bool:
    """Whether ``body`` holds more than ``most`` values: each follows a comma, or is the first in something.

    What is empty, but for blanks, is taken for something with a value.
    """
    if len(body) <= most or 1 + _signs(body) <= most:
        return False
    # Texts hold such signs as well. In a document no two texts follow each other without one.
    values, texts, place = 1, 0, 0
    while place < len(body):
        end = _end_of_whole(body, place)
        if end == place:
            end, found = _end_of_text(body, place), 1
        else:
            outside, found = _TEXT.subn(b"0", body[place:end])
            values += _signs(outside)
        texts += found
        if values > most or texts > 2 * most:
            return True
        place = end
    return False


def decode_in_pieces(body: bytes | Raw, decode: Callable[[bytes | Raw], Any], *, levels: int = _LEVELS) -> Any:
    """What ``decode`` makes of ``body``. Raises what it raises, or msgspec's error for the place in a piece."""
    if levels == 0 or len(memoryview(body)) <= PIECE_BYTES:
        return decode(body)
    first, below = bytes(memoryview(body)[:64]).lstrip()[:1], levels - 1
    if first == b"[":
        return [decode_in_pieces(piece, decode, levels=below) for piece in _split_list(body)]
    if first == b"{":
        return {name: decode_in_pieces(piece, decode, levels=below) for name, piece in _split_object(body).items()}
    return decode(body)


class _Collector:
    """Off while anybody needs it to be, on again afterwards if it was."""

    def __init__(self) -> None:
        self._turn = Lock()
        self._needing = 0
        self._was_on = False

    @contextmanager
    def unswept(self) -> Iterator[None]:
        """Without sweeps of the garbage collector, which looks at all that was made so far, again and again."""
        with self._turn:
            if self._needing == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._needing += 1
        try:
            yield
        finally:
            with self._turn:
                self._needing -= 1
                if self._needing == 0 and self._was_on:
                    gc.enable()


unswept = _Collector().unswept


def _signs(body: bytes) -> int:
    found = 0
    for start in range(0, len(body), PIECE_BYTES):
        end = start + PIECE_BYTES
        found += sum(body.count(sign, start, end) for sign in _SIGNS)
        # One that lies on the edge of two pieces as well.
        found -= sum(body.count(empty, start, end + 1) for empty in _EMPTY)
    return found


def _end_of_whole(body: bytes, start: int) -> int:
    found = _WHOLE.match(body, start, start + PIECE_BYTES)
    return start if found is None else found.end()


def _end_of_text(body: bytes, start: int) -> int:
    """Behind the text that begins at ``start``, which is longer than a piece; that of ``body`` where it has no end."""
    end = body.find(b'"', start + 1)
    while end >= 0 and _is_escaped(body, end):
        end = body.find(b'"', end + 1)
    return len(body) if end < 0 else end + 1


def _is_escaped(body: bytes, place: int) -> bool:
    before = place
    while body[before - 1] == _BACKSLASH:
        before -= 1
    return (place - before) % 2 == 1
