"""Numbers as providers write them, turned into plain decimal text with every digit kept, never through a float.

Nearly every number is plain text already, and one regular expression says so; the rest (exponents, signs, leading
zeros, binary floats of a literal) takes the slower way round.
"""

from __future__ import annotations

import re
from decimal import Decimal

from ..messages import Number

MAX_DIGITS = 1_000
MAX_EXPONENT = 1_000
# An int of more bits than this has more than MAX_DIGITS digits; asking its text is refused by Python far beyond.
MAX_BITS = 3_322

_PLAIN = re.compile(r"(?:-(?!0*\.?0*\Z))?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_ANY = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_plain = _PLAIN.fullmatch
_SHOWN = 60


def exact_number(value: object) -> Number | None:
    """``value`` as plain decimal text; None for null and for empty text; ValueError says why it is no number."""
    if isinstance(value, str):
        text = value
    elif value is None:
        return None
    elif isinstance(value, int) and not isinstance(value, bool):
        text = _whole_text(value)
    elif isinstance(value, Decimal | float):
        text = str(value)
    else:
        raise ValueError(f"not a number: {describe(value)}")
    if len(text) <= MAX_DIGITS and _plain(text):
        return text
    return _canonical(text)


def whole_number(value: object) -> int | None:
    """``value`` as an integer; ``12.0`` counts as one, ``12.5`` does not."""
    text = exact_number(value)
    if text is None:
        return None
    whole, _, fraction = text.partition(".")
    if fraction.strip("0"):
        raise ValueError(f"not a whole number: {describe(value)}")
    return int(whole)


def describe(value: object) -> str:
    """``value`` for an error message: what kind of thing it is, and its beginning."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{shortened(value)}"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object" + (f" with {shortened(', '.join(map(str, list(value)[:5])))}" if value else "")
    return "null" if value is None else shortened(str(value))


def shortened(text: str, limit: int = _SHOWN) -> str:
    """``text`` on one line, cut at ``limit`` characters."""
    flat = " ".join(text[: limit * 4].split())
    return flat if len(flat) <= limit and len(text) <= limit * 4 else flat[:limit].rstrip() + "…"


def _whole_text(value: int) -> str:
    if value.bit_length() > MAX_BITS:
        raise ValueError(f"a number of more than {MAX_DIGITS:,} digits")
    return str(value)


def _canonical(text: str) -> Number | None:
    stripped = text.strip()
    if not stripped:
        return None
    match = _ANY.fullmatch(stripped)
    if match is None:
        raise ValueError(f"not a number: {describe(text)}")
    sign, whole, fraction, exponent = match[1], match[2], match[3] or "", match[4] or "0"
    digits = whole + fraction
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of more than {MAX_DIGITS:,} digits")
    if len(exponent) > 6 or abs(int(exponent)) > MAX_EXPONENT:
        raise ValueError(f"a number whose exponent is beyond ±{MAX_EXPONENT:,}: {describe(text)}")
    plain = _shifted(digits, len(whole) + int(exponent))
    negative = sign == "-" and any(digit not in "0." for digit in plain)
    return "-" + plain if negative else plain


def _shifted(digits: str, point: int) -> str:
    """``digits`` with the decimal point after the first ``point`` of them, which may lie outside."""
    if point <= 0:
        return "0." + "0" * -point + digits
    whole = digits[:point].ljust(point, "0").lstrip("0") or "0"
    return f"{whole}.{digits[point:]}" if point < len(digits) else whole
