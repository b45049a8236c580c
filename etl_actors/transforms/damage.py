"""An answer in which some values cannot be kept, read all the same, so that one of them costs its element only.

``NaN`` and ``Infinity``, numbers without end, nesting without bottom, NUL characters, lone surrogates and bytes that
are no UTF-8 make a document that cannot be decoded, or not be stored. Here each such value is found in the bytes and
replaced by a text that tells which it was. What is broken otherwise stays refused.

This is the slow way: it is gone only where the quick one refused a body.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from msgspec import Struct

from ..errors import PayloadRefused
from ..messages import Damage
from .documents import decode_document

# Possessive, so that no body can make it slow. A string is taken whole, whatever is in it.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*+', re.DOTALL)
_SUSPICIOUS = re.compile(rb"\\u|[\x00-\x1f\x80-\xff]")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_SHORT = 300
_QUOTE = ord('"')
_IS_NAME = re.compile(rb"[ \t\r\n]*+:")


class _Bad(Struct, frozen=True):
    start: int
    end: int
    reason: str


def mended_document(body: bytes, *, max_depth: int) -> tuple[Any, Damage] | None:
    """The document in a ``body`` that was refused, with its damage; None where no mend makes it one."""
    bad = list(_bad_values(body, max_depth))
    named = [_IS_NAME.match(body, one.end) is not None for one in bad]
    if not bad or any(is_name and body[one.start] != _QUOTE for one, is_name in zip(bad, named, strict=True)):
        return None  # only a text can be a name
    mark = f"unkept-{uuid4().hex}-".encode()
    marked = _with(body, bad, [b'"%b%d;"' % (mark, number) for number in range(len(bad))])
    try:
        document = decode_document(marked, max_depth=max_depth)
    except PayloadRefused:
        return None
    # What is no value but the name of one has to have some name.
    left = [b'"unkept %d"' % number if is_name else b"null" for number, is_name in enumerate(named)]
    return document, Damage(
        body=_with(body, bad, left),
        mark=mark,
        values=tuple(body[one.start : one.end] for one in bad),
        reasons=tuple(one.reason for one in bad),
    )


def _bad_values(body: bytes, max_depth: int) -> Iterator[_Bad]:
    depth, cut_from = 0, 0
    for found in _TOKEN.finditer(body):
        token = found[0]
        kind = token[:1]
        if kind in b"[{":
            depth += 1
            if depth == max_depth + 1:
                cut_from = found.start()
        elif kind in b"]}":
            depth -= 1
            if depth == max_depth:
                yield _Bad(cut_from, found.end(), f"the JSON is nested more than {max_depth} levels deep")
        elif depth <= max_depth:
            reason = _reason(token)
            if reason is not None:
                yield _Bad(found.start(), found.end(), reason)


def _reason(token: bytes) -> str | None:
    """Why a string or a number cannot be kept, if it cannot."""
    if token.startswith(b'"'):
        suspicious = _SUSPICIOUS.search(token) is not None
    elif token.endswith((b"N", b"y")):
        return f"the provider sent {token.decode()}, which is no number of JSON"
    else:
        suspicious = (len(token) > _SHORT or b"e" in token or b"E" in token) and _NUMBER.fullmatch(token) is not None
    if not suspicious:
        return None
    try:
        decode_document(token, max_depth=0)
    except PayloadRefused as refused:
        return str(refused)
    return None


def _with(body: bytes, bad: list[_Bad], replacements: list[bytes]) -> bytes:
    """``body`` with a replacement for each of its bad values."""
    pieces, place = [], 0
    for one, replacement in zip(bad, replacements, strict=True):
        pieces += [body[place : one.start], replacement]
        place = one.end
    return b"".join([*pieces, body[place:]])
