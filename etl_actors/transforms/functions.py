"""The functions a mapping may call beyond JMESPath's own, and JMESPath's own made exact.

JMESPath knows ``int`` and ``float`` as numbers; here every number with a fraction is a :class:`decimal.Decimal`, so its
functions are taught to take them, and to count without rounding. A null goes through every function of ours as null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any, Protocol, TypeVar, cast

from jmespath.functions import REVERSE_TYPES_MAP, Functions, signature

from .documents import encode_json
from .money import amount
from .numbers import describe, exact_number

# Wide enough for the exact sum of any two numbers that exact_number lets through, and half of it.
_EXACT = Context(prec=4_200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A time of so many digits before the point is in seconds, milliseconds, microseconds, nanoseconds.
_UNITS = ((11, 0), (14, 3), (17, 6), (20, 9))

_TEXT = {"types": ["string", "null"]}
_ANY: dict[str, list[str]] = {"types": []}
_NUMBERS = {"types": ["array-number"]}

Function = TypeVar("Function", bound=Callable[..., Any])


def takes(*arguments: dict[str, list[str]]) -> Callable[[Function], Function]:
    """jmespath's declaration of a function's arguments, with a type."""
    return cast("Callable[[Function], Function]", signature(*arguments))


class Symbols(Protocol):
    """What tells the two assets of a pair."""

    def resolve(self, pair: str) -> tuple[str, str] | None: ...


class MappingFunctions(Functions):  # type: ignore[misc]  # jmespath ships no type information
    """One mapping's functions; ``position`` and ``params`` are those of the element being mapped.

    ``pair`` is the last pair a function was asked about, so that an item can keep it.
    """

    def __init__(self, symbols: Symbols | None = None) -> None:
        self.symbols = symbols
        self.position = 0
        self.params: Mapping[str, str] = {}
        self.pair: str | None = None

    def assets(self, pair: str | None) -> tuple[str, str] | tuple[None, None]:
        """The base and quote of ``pair`` by the symbol table; nulls when it does not know."""
        if pair is None:
            return None, None
        self.pair = pair
        return (self.symbols.resolve(pair) if self.symbols is not None else None) or (None, None)

    @takes(_TEXT)
    def _func_base_asset(self, pair: str | None) -> str | None:
        return self.assets(pair)[0]

    @takes(_TEXT)
    def _func_quote_asset(self, pair: str | None) -> str | None:
        return self.assets(pair)[1]

    @takes(_ANY)
    def _func_money(self, text: Any) -> Decimal | None:
        return amount(text)

    @takes(_TEXT)
    def _func_upper(self, text: str | None) -> str | None:
        return None if text is None else text.upper()

    @takes(_TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @takes(_ANY, _ANY)
    def _func_mid(self, a: Any, b: Any) -> Decimal | None:
        low, high = exact_number(a), exact_number(b)
        if low is None or high is None:
            return None
        return _EXACT.divide(_EXACT.add(Decimal(low), Decimal(high)), Decimal(2))

    @takes(_ANY)
    def _func_epoch(self, moment: Any) -> str | None:
        return utc_text(moment)

    @takes({"types": ["object", "null"]})
    def _func_entries(self, mapping: dict[str, Any] | None) -> list[dict[str, Any]] | None:
        return None if mapping is None else [{"key": key, "value": value} for key, value in mapping.items()]

    @takes()
    def _func_position(self) -> int:
        return self.position

    @takes(_TEXT)
    def _func_param(self, name: str | None) -> str | None:
        return None if name is None else self.params.get(name)

    # JMESPath's own, which would round, refuse or quote a Decimal.

    @takes(_ANY)
    def _func_to_number(self, value: Any) -> Any:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return value
        try:
            number = exact_number(value)
        except ValueError:
            return None
        return None if number is None else Decimal(number)

    @takes(_ANY)
    def _func_to_string(self, value: Any) -> str:
        return value if isinstance(value, str) else encode_json(value).decode()

    @takes(_ANY)
    def _func_type(self, value: Any) -> str:
        return "number" if isinstance(value, Decimal) else str(super()._func_type(value))

    @takes({"types": ["number"]})
    def _func_abs(self, number: Any) -> Any:
        return number.copy_abs() if isinstance(number, Decimal) else abs(number)

    @takes(_NUMBERS)
    def _func_sum(self, numbers: list[Any]) -> Any:
        total = Decimal(0)
        for number in numbers:
            total = _EXACT.add(total, Decimal(number))
        return total

    @takes(_NUMBERS)
    def _func_avg(self, numbers: list[Any]) -> Any:
        # A quotient may have no end: as many digits as the sum has, and 20 more.
        if not numbers:
            return None
        total = self._func_sum(numbers)
        return Context(prec=len(total.as_tuple().digits) + 20).divide(total, Decimal(len(numbers)))

    def _get_allowed_pytypes(self, types: list[str]) -> tuple[list[str], list[tuple[str, ...]]]:
        allowed: list[str] = []
        subtypes: list[tuple[str, ...]] = []
        for name in types:
            kind, _, of = name.partition("-")
            allowed.extend(_PYTHON_TYPES[kind])
            if of:
                subtypes.append(_PYTHON_TYPES[of])
        return allowed, subtypes

    def _convert_to_jmespath_type(self, name: str) -> str:
        return "number" if name == "Decimal" else str(super()._convert_to_jmespath_type(name))


_PYTHON_TYPES: dict[str, tuple[str, ...]] = {**REVERSE_TYPES_MAP, "number": (*REVERSE_TYPES_MAP["number"], "Decimal")}


def utc_text(moment: Any) -> str | None:
    """Seconds, milli-, micro- or nanoseconds since 1970 as ``2025-12-08T16:00:00Z``; the size tells the unit."""
    number = exact_number(moment)
    if number is None:
        return None
    digits = len(number.lstrip("-").partition(".")[0])
    for limit, shift in _UNITS:
        if digits <= limit:
            microseconds = int(Decimal(number).scaleb(6 - shift, _EXACT))
            try:
                when = _EPOCH + timedelta(microseconds=microseconds)
            except OverflowError:
                break
            return when.replace(tzinfo=None).isoformat() + "Z"
    raise ValueError(f"not a time since 1970: {describe(moment)}")
