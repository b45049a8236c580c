"""An answer in which some values cannot be kept, read all the same, so that one of them costs its element only.

``NaN`` and ``Infinity``, numbers without end, nesting without bottom, NUL characters, lone surrogates and bytes that
are no UTF-8 make a document that cannot be decoded, or not be stored. Here each such value is found in the bytes and
replaced by a text that tells which it was. What is broken otherwise stays refused.

This is the slow way: it is gone only where the quick one refused a body.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any
from uuid import uuid4

from msgspec import Struct

from ..damage import Damage
from ..errors import PayloadRefused
from .documents import MAX_VALUES, decode_document

# Possessive throughout, and always matching, so that no body can make it slow: what is plain is passed over at once,
# then comes a token; a character that is none, or the end, comes as itself.
_TOKEN = re.compile(
    rb'(?:"[^"\\\x00-\x1f\x80-\xff]*+"|-?[0-9][0-9.]{0,300}+(?![0-9.eE+-])|[ \t\r\n,:]++|true|false|null)*+'
    rb'("[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]|-?(?:NaN|Infinity)|-?[0-9][0-9.eE+-]*+|.|\Z)',
    re.DOTALL,
)
_SUSPICIOUS = re.compile(rb"\\u|[\x00-\x1f\x80-\xff]")
_CONTROL = re.compile(rb"[\x00-\x1f]")
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
# An answer with more bad values is not worth their memory; one with more brackets and odd texts not the seconds.
MOST_VALUES = 50_000
MOST_TOKENS = 4_000_000

_QUOTE = ord('"')
_IS_NAME = re.compile(rb"[ \t\r\n]*+:")


class _Bad(Struct, frozen=True):
    start: int
    end: int
    reason: str


def mended_document(body: bytes, *, max_depth: int, max_values: int = MAX_VALUES) -> tuple[Any, Damage] | None:
    """The document in a ``body`` that was refused, with its damage; None where no mend makes it one."""
    bad = _bad_values(body, max_depth)
    if not bad:
        return None
    named = [_IS_NAME.match(body, one.end) is not None for one in bad]
    if any(is_name and body[one.start] != _QUOTE for one, is_name in zip(bad, named, strict=True)):
        return None  # only a text can be a name
    mark = f"unkept-{uuid4().hex}-".encode()
    marked = _with(body, bad, [b'"%b%d;"' % (mark, number) for number in range(len(bad))])
    try:
        document = decode_document(marked, max_depth=max_depth, max_values=max_values)
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


def _bad_values(body: bytes, max_depth: int) -> list[_Bad]:
    """Every one; none where there are too many, or where something is no JSON at all."""
    bad: list[_Bad] = []
    depth, cut_from, place = 0, 0, 3 if body.startswith(BOM_UTF8) else 0
    for number, found in enumerate(_TOKEN.finditer(body, place)):
        token = found[1]
        kind = token[:1]
        if kind in b"[{" and kind:
            depth += 1
            if depth == max_depth + 1:
                cut_from = found.start(1)
        elif kind in b"]}" and kind:
            depth -= 1
            if depth == max_depth:
                bad.append(_Bad(cut_from, found.end(1), f"the JSON is nested more than {max_depth} levels deep"))
        elif kind and depth <= max_depth:
            if len(token) == 1 and not token.isdigit():
                return []
            reason = _reason(token)
            if reason is not None:
                bad.append(_Bad(found.start(1), found.end(1), reason))
        if len(bad) > MOST_VALUES or number > MOST_TOKENS:
            return []
    return bad


def _reason(token: bytes) -> str | None:
    """Why a string or a number cannot be kept, if it cannot."""
    if token.startswith(b'"'):
        suspicious = _SUSPICIOUS.search(token) is not None
    elif token.endswith((b"N", b"y")):
        return f"the provider sent {token.decode()}, which is no number of JSON"
    else:
        suspicious = _NUMBER.fullmatch(token) is not None
    if not suspicious:
        return None
    if _CONTROL.search(token) is not None:
        return "the JSON holds a text with a control character that is not escaped"
    try:
        token.decode()
        decode_document(token, max_depth=0)
    except UnicodeDecodeError:
        return "the JSON holds a text whose bytes are not UTF-8"
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
