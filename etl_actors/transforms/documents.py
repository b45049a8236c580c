"""JSON in and out without losing a digit, and one clear sentence for everything that is not JSON we can keep.

Numbers with a fraction or an exponent become :class:`decimal.Decimal`, whole ones ``int``. What PostgreSQL's jsonb
would refuse later (NUL characters, endless numbers, bottomless nesting) is refused here, where the reason can be told.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from ..errors import PayloadRefused, PayloadTooLarge
from .breakage import explain_breakage
from .numbers import MAX_BITS, MAX_DIGITS, MAX_EXPONENT, exact_number
from .pieces import PIECE_BYTES, decode_in_pieces, has_more_values, unswept

MAX_VALUES = 2_000_000

_BOM = b"\xef\xbb\xbf"
_ESCAPED_NUL = b"\\u0000"
# A string is matched whole, so that what looks like a number inside it is left alone. Possessive, so that no body can
# make it slow.
_STRING_OR_NUMBER = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?[0-9.]++(?:E[+-]?[0-9]+)?')
_BEGINS_CONTAINER = re.compile(rb"[ \t\r\n]*+[\[{]")
_MAYBE_EXPONENT = re.compile(rb"[0-9]E[+-]?[0-9]")
_ENDLESS = f"the provider sent a number too long to be kept (more than {MAX_DIGITS:,} digits, or an exponent beyond"
_ENDLESS += f" ±{MAX_EXPONENT:,})"


def decode_document(body: bytes, *, max_depth: int, max_values: int = MAX_VALUES) -> Any:
    """The JSON value in ``body``; :class:`PayloadRefused` says in one sentence why there is none.

    What is large takes a while, and is for a worker thread.
    """
    if body.startswith(_BOM):
        body = body[len(_BOM) :]
    if _BEGINS_CONTAINER.match(body) and has_more_values(body, max_values):
        # In memory each takes tens of bytes, and in the text it may be two.
        raise PayloadTooLarge(f"the JSON holds more than {max_values:,} values, the limit of [upstream] max_values")
    try:
        document = _decode(body) if len(body) <= PIECE_BYTES else _decode_large(body)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = _ENDLESS if "out of range" in str(error) else explain_breakage(body, str(error))
        raise PayloadRefused(reason) from error
    _check_shape(document, max_depth)
    if _ESCAPED_NUL in body and contains_nul(document):
        raise PayloadRefused("the JSON holds a NUL character (\\u0000), which PostgreSQL cannot store")
    return document


def _decode_large(body: bytes) -> Any:
    with unswept():
        try:
            return decode_in_pieces(body, _decode)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _decode(body)  # what is wrong, and where in the whole


def encode_json(value: Any) -> bytes:
    """``value`` as JSON; Decimals as plain numbers with every digit, without an exponent."""
    encoded = _encode(value)
    if _MAYBE_EXPONENT.search(encoded) is None:
        return encoded
    return _STRING_OR_NUMBER.sub(_without_exponent, encoded)


def contains_nul(document: Any) -> bool:
    """Whether any text or key in ``document`` holds a NUL character."""
    level = [document]
    while level:
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if "\0" in value:
                    return True
            elif isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        level = below
    return False


def _check_shape(document: Any, max_depth: int) -> None:
    """Refuses deep nesting and endless integers, level by level, so that no depth can exhaust the stack."""
    level: list[Any] = [(document,)]
    for _ in range(max_depth + 1):
        below: list[Any] = []
        for container in level:
            for value in container.values() if container.__class__ is dict else container:
                kind = value.__class__
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is int and value.bit_length() > MAX_BITS:
                    raise PayloadRefused(_ENDLESS)
        if not below:
            return
        level = below
    raise _too_deep(max_depth)


def _too_deep(max_depth: int) -> PayloadRefused:
    return PayloadRefused(f"the JSON is nested more than {max_depth} levels deep")


def _exact(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise PayloadRefused(_ENDLESS) from None
    if len(text) > MAX_DIGITS + 2 or not -MAX_EXPONENT <= number.adjusted() <= MAX_EXPONENT:
        raise PayloadRefused(_ENDLESS)
    return number


def _without_exponent(match: re.Match[bytes]) -> bytes:
    text = match[0]
    if text.startswith(b'"') or b"E" not in text:
        return text
    return (exact_number(text.decode("ascii")) or "0").encode("ascii")


_decode = msgspec.json.Decoder(float_hook=_exact).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode
