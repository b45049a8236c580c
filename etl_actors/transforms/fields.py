"""What may stand in each field of an item, and how what a mapping found is turned into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .numbers import describe, exact_number, whole_number

MAX_TEXT = 1_000
# Symbols are found by an index, which takes no entries of more than 2,704 bytes.
MAX_SYMBOL_BYTES = 1_000
_RANK_LIMIT = 2**63


def text_field(value: Any) -> str | None:
    """Text without the blanks around it; a number stands for its digits; None for null and for nothing but blanks."""
    if value is None:
        return None
    if value.__class__ is not str:
        if isinstance(value, bool | list | dict):
            raise ValueError(f"not a text: {describe(value)}")
        value = exact_number(value)
    text: str = value.strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"a text of {len(text):,} characters, more than {MAX_TEXT:,}: {describe(text)}")
    if "\0" in text:
        raise ValueError("a text with a NUL character, which PostgreSQL cannot store")
    return text or None


def symbol_field(value: Any) -> str | None:
    """A text as short as an index needs it."""
    text = text_field(value)
    if text is not None and len(text) > MAX_SYMBOL_BYTES // 4 and len(text.encode()) > MAX_SYMBOL_BYTES:
        raise ValueError(f"a symbol of more than {MAX_SYMBOL_BYTES:,} bytes: {describe(text)}")
    return text


def rank_field(value: Any) -> int | None:
    """A whole number that a BIGINT column can hold."""
    number = whole_number(value)
    if number is not None and not -_RANK_LIMIT <= number < _RANK_LIMIT:
        raise ValueError(f"a rank beyond 64 bits: {describe(value)}")
    return number


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "coin_name": text_field,
    "coin_symbol": symbol_field,
    "quote_symbol": symbol_field,
    "price": exact_number,
    "market_cap": exact_number,
    "volume_24h": exact_number,
    "price_change_24h": exact_number,
    "market_cap_rank": rank_field,
}
"""Every field of an item that a mapping may fill, in the order of the item."""
