"""A large JSON text, taken in pieces, so that no single step holds the interpreter for long. For worker threads.

A decoder of C lets nobody else run until it is through, from a thread as well. So what is large is first cut into its
elements, which costs a fraction of decoding it, and these are decoded one by one.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Raw

# What is smaller is decoded or looked at in one step: one or two milliseconds.
PIECE_BYTES = 262_144

_BACKSLASH = ord("\\")
_SIGNS = (b",", b"[", b"{")
_split_list = msgspec.json.Decoder(list[Raw]).decode
_split_object = msgspec.json.Decoder(dict[str, Raw]).decode


def has_more_values(body: bytes, most: int) -> bool:
    """Whether ``body`` holds more than about ``most`` values: each follows a comma, or opens something."""
    if len(body) <= most:
        return False
    found = _count(body, 0, len(body))
    if found <= most:
        return False
    for start, end in _texts(body):  # they hold such signs as well
        found -= _count(body, start, end)
        if found <= most:
            return False
    return True


def decode_in_pieces(body: bytes | Raw, decode: Callable[[bytes | Raw], Any]) -> Any:
    """What ``decode`` makes of ``body``. Raises what it raises, or msgspec's error for the place in a piece."""
    if len(memoryview(body)) <= PIECE_BYTES:
        return decode(body)
    first = bytes(memoryview(body)[:64]).lstrip()[:1]
    if first == b"[":
        return [decode_in_pieces(piece, decode) for piece in _split_list(body)]
    if first == b"{":
        return {name: decode_in_pieces(piece, decode) for name, piece in _split_object(body).items()}
    return decode(body)


@contextmanager
def unswept() -> Iterator[None]:
    """Without sweeps of the garbage collector, which looks at all that was made so far, again and again."""
    swept = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if swept:
            gc.enable()


def _count(body: bytes, start: int, end: int) -> int:
    pieces = range(start, end, PIECE_BYTES)
    return sum(body.count(sign, at, min(at + PIECE_BYTES, end)) for at in pieces for sign in _SIGNS)


def _texts(body: bytes) -> Iterator[tuple[int, int]]:
    """Where each text begins and ends."""
    start = body.find(b'"')
    while start >= 0:
        end = body.find(b'"', start + 1)
        while end >= 0 and _is_escaped(body, end):
            end = body.find(b'"', end + 1)
        if end < 0:
            return
        yield start, end
        start = body.find(b'"', end + 1)


def _is_escaped(body: bytes, place: int) -> bool:
    before = place
    while body[before - 1] == _BACKSLASH:
        before -= 1
    return (place - before) % 2 == 1
