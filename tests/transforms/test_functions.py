"""The functions a mapping may call, as expressions call them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.expressions import compile_expression
from etl_actors.transforms.functions import MappingFunctions
from etl_actors.transforms.symbols import SymbolTable

TABLE = SymbolTable({"ADAEUR": ("ADA", "EUR"), "币安人生USDT": ("币安人生", "USDT"), "123456": ("123", "456")})


def evaluate(expression: str, document: Any = None, **circumstances: Any) -> Any:
    functions = MappingFunctions(TABLE)
    for name, value in circumstances.items():
        setattr(functions, name, value)
    if isinstance(document, bytes):
        document = decode_document(document, max_depth=50)
    return compile_expression(expression, functions).read(document)


@pytest.mark.parametrize(
    ("pair", "base", "quote"),
    [("ADAEUR", "ADA", "EUR"), ("币安人生USDT", "币安人生", "USDT"), ("123456", "123", "456"), ("NEWUSDT", None, None)],
)
def test_pairs_are_looked_up_and_never_guessed(pair: str, base: str | None, quote: str | None) -> None:
    """A pair that the table does not know gives null."""
    assert evaluate("[base_asset(@), quote_asset(@)]", pair) == [base, quote]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$1,234.56", "1234.56"),
        ("$2,412.46", "2412.46"),
        ("$0.001445368775", "0.001445368775"),
        ("$ 90,176.20", "90176.20"),
        ("-$12.50", "-12.50"),
        ("€1,000,000", "1000000"),
        ("521967819", "521967819"),
        ("$1.5e-07", "0.00000015"),
        ('$0.0<sub title="0.000001532">5</sub>1532', "0.000001532"),
        ("$0.0<sub>5</sub>1532", "0.000001532"),
        ('$0.0<sub title="tiny">5</sub>1532', "0.000001532"),
        (Decimal("0.000005938674704566297"), "0.000005938674704566297"),
        (77671, "77671"),
    ],
)
def test_money_reads_every_form_a_price_has_had(text: Any, expected: str) -> None:
    """Currency signs, thousands separators, folded zeros, plain numbers."""
    assert format(evaluate("money(@)", text), "f") == expected


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_money_of_nothing_is_null(nothing: Any) -> None:
    """A missing price is not zero."""
    assert evaluate("money(@)", nothing) is None


@pytest.mark.parametrize("text", ["$1,23", "$ 1,800.89 B", "1.234,56", "abc", "$", "--1", "-$-1", "$0.0<sub>x</sub>1"])
def test_money_refuses_what_it_cannot_read(text: str) -> None:
    """An amount is never guessed."""
    with pytest.raises(ValueError, match="not an amount of money"):
        evaluate("money(@)", text)


@pytest.mark.parametrize(
    ("book", "middle"),
    [
        (b'{"a": "95120.10000000", "b": "95120.11000000"}', "95120.10500000"),
        (b'{"a": "0.00000637", "b": "0.00000638"}', "0.000006375"),
        (b'{"a": 1, "b": 2}', "1.5"),
        (b'{"a": "12345678901234567890123456789.1", "b": "12345678901234567890123456789.2"}',
         "12345678901234567890123456789.15"),
    ],
)  # fmt: skip
def test_mid_is_exact(book: bytes, middle: str) -> None:
    """Not one digit is rounded away."""
    assert format(evaluate("mid(a, b)", book), "f") == middle


def test_mid_of_one_side_is_null() -> None:
    """Half a market has no middle."""
    assert evaluate("mid(bids[0][0], asks[0][0])", b'{"bids": [], "asks": [["1", "2", []]]}') is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (1767411267, "2026-01-03T03:34:27Z"),
        (1765209599999, "2025-12-08T15:59:59.999000Z"),
        ("1765209599999123", "2025-12-08T15:59:59.999123Z"),
        (Decimal("1767411267.5"), "2026-01-03T03:34:27.500000Z"),
        (0, "1970-01-01T00:00:00Z"),
        (None, None),
    ],
)
def test_epoch_tells_the_unit_by_its_size(moment: Any, expected: str | None) -> None:
    """Seconds, milliseconds and microseconds become UTC."""
    assert evaluate("epoch(@)", moment) == expected


def test_nulls_go_through_every_function() -> None:
    """A field that is not there stays null."""
    expression = (
        "[base_asset(x), quote_asset(x), money(x), upper(x), lower(x), mid(x, x), epoch(x), entries(x), param(x)]"
    )
    assert evaluate(expression, {}) == [None] * 9


def test_the_rest_of_the_functions() -> None:
    """upper, lower, entries, position and param."""
    assert evaluate("[upper('aß'), lower('AB')]", {}) == ["ASS", "ab"]
    assert evaluate("entries(@)", {"b": 1}) == [{"key": "b", "value": 1}]
    assert evaluate("entries(@)[].{coin: key, usd: value.USD}", b'{"BTC": {"USD": 1.5}}') == [
        {"coin": "BTC", "usd": Decimal("1.5")}
    ]
    assert evaluate("[position(), param('symbol'), param('x')]", {}, position=3, params={"symbol": "A"}) == [
        3,
        "A",
        None,
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("count == `0`", True),
        ("price == `0`", True),
        ("big > `0.1`", True),
        ("big == `0.3`", True),
        ("big < count", False),
        ("type(big)", "number"),
        ("abs(minus)", Decimal("12345678901234567890123456789012345.5")),
        ("sum([big, count, long])", Decimal("12345678901234567890123456789.42")),
        ("avg([big, `0.5`])", Decimal("0.4")),
        ("max([big, count])", Decimal("0.3")),
        ("ceil(big)", 1),
        ("to_number('1.10')", Decimal("1.10")),
        ("to_number('x')", None),
        ("to_string(price)", "0.00000000"),
        ("sort([big, count])", [0, Decimal("0.3")]),
        ("[price][?@ != `0`] | [0]", None),
    ],
)
def test_decimals_are_numbers_everywhere(expression: str, expected: Any) -> None:
    """JMESPath's own functions and comparisons take them, and count without rounding."""
    document = (
        b'{"count": 0, "price": 0.00000000, "big": 0.3, "minus": -12345678901234567890123456789012345.5,'
        b' "long": 12345678901234567890123456789.12}'
    )
    found = evaluate(expression, document)
    assert found == expected
    assert type(found) is type(expected)
