"""Rows in the pages of an SQLite file, read without SQLite and without the tree that leads to them.

A row is found through the page it lies in, so a page that is damaged costs the rows in it and those whose blobs went
through it, whatever the page was: SQLite itself loses everything below a damaged inner page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .pages import LEAF, PAGE, Pages

_HEADER = 8
_MOST = PAGE - 35
_LEAST = (PAGE - 12) * 32 // 255 - 23
_LINKED = PAGE - 4
_INTEGERS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
_LONGEST = 1_000_000_000


class Broken(Exception):
    """There is no row here."""


def cells(page: bytes) -> Iterator[tuple[int, int]]:
    """``(rowid, place in the page)`` of each row that seems to begin in ``page``."""
    if len(page) < PAGE or page[0] != LEAF:
        return
    count = min(int.from_bytes(page[3:5], "big"), (PAGE - _HEADER) // 2)
    for index in range(count):
        place = int.from_bytes(page[_HEADER + 2 * index : _HEADER + 2 * index + 2], "big")
        if _HEADER <= place < PAGE - 4:
            try:
                _, after = _varint(page, place)
                rowid, _ = _varint(page, after)
            except Broken:
                continue
            yield rowid, place


def columns_of(page: bytes, place: int, pages: Pages, *, logged: bool, beginning: int | None = None) -> list[Any]:
    """The columns of the row at ``place``; only the first ``beginning`` of them where given, without its other pages.

    Raises :class:`Broken`. What is returned is what the bytes say, true or not.
    """
    length, after = _varint(page, place)
    _, start = _varint(page, after)
    if not 0 < length <= _LONGEST:
        raise Broken
    here = length if length <= _MOST else _LEAST + (length - _LEAST) % _LINKED
    if length > _MOST and here > _MOST:
        here = _LEAST
    payload = page[start : start + here]
    if beginning is None and here < length:
        link = int.from_bytes(page[start + here : start + here + 4], "big")
        payload += _linked(pages, link, length - here, logged=logged)
    return _columns(payload, beginning)


def _linked(pages: Pages, link: int, length: int, *, logged: bool) -> bytes:
    pieces: list[bytes] = []
    while length > 0:
        content = pages.page(link, logged=logged) if link > 1 else b""
        if len(content) < PAGE:
            raise Broken
        link = int.from_bytes(content[:4], "big")
        pieces.append(content[4 : 4 + length])
        length -= len(pieces[-1])
    return b"".join(pieces)


def _columns(payload: bytes, beginning: int | None) -> list[Any]:
    end, at = _varint(payload, 0)
    if end > len(payload):
        raise Broken
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds[:beginning]:
        length = _INTEGERS.get(kind) if kind < 12 else (kind - 12) // 2
        if length is None or at + length > len(payload):
            raise Broken
        values.append(_value(kind, payload[at : at + length]))
        at += length
    return values


def _value(kind: int, content: bytes) -> Any:
    if kind == 0:
        return None
    if kind < 12:
        return int(kind == 9) if kind in {8, 9} else int.from_bytes(content, "big", signed=True)
    return content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(at, at + 8):
        if index >= len(data):
            raise Broken
        value = value << 7 | data[index] & 0x7F
        if data[index] < 0x80:
            return value, index + 1
    if at + 8 >= len(data):
        raise Broken
    return value << 8 | data[at + 8], at + 9
