"""Amounts of money as providers print them for people: currency signs, thousands separators, folded zeros.

``"$0.0<sub title="0.000001532">5</sub>1532"`` is 0.000001532: the digit in ``<sub>`` counts the zeros after the point.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from .numbers import describe, exact_number

_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?")
_FOLDED = re.compile(r"([0-9]+)\.0*<sub(?:\s+title=\"([^\"]*)\")?\s*>([0-9]{1,3})</sub>([0-9]*)")


def amount(value: object) -> Decimal | None:
    """The amount that ``value`` (a number, or text such as ``"$1,234.56"``) stands for; None for null and ``""``."""
    if not isinstance(value, str):
        number = exact_number(value)
        return None if number is None else Decimal(number)
    text = value.strip()
    if not text:
        return None
    negative = text[0] in "-−"
    bare = text[1:].lstrip() if negative else text
    if bare and unicodedata.category(bare[0]) == "Sc":
        bare = bare[1:].lstrip()
    try:
        number = exact_number(_unfolded(bare))
    except ValueError:
        number = None
    if number is None or number[0] == "-":  # a second sign, after the currency's, is no sign
        raise ValueError(f"not an amount of money: {describe(value)}")
    return Decimal("-" + number if negative else number)


def _unfolded(text: str) -> str:
    folded = _FOLDED.fullmatch(text)
    if folded:
        whole, title, zeros, tail = folded.groups()
        try:
            if title and exact_number(title) is not None:
                return str(title)
        except ValueError:
            pass  # a title that is for people only; the digits say the same
        return f"{whole}.{'0' * int(zeros)}{tail}"
    return text.replace(",", "") if _GROUPED.fullmatch(text) else text
