"""Numbers keep every digit, whatever form the provider wrote them in."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.transforms.numbers import exact_number, whole_number

CANONICAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
# Their digits and their exponents together stay inside the bounds of one number.
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e400"), max_value=Decimal("1e400"))


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("95000.50", "95000.50"),
        ("0.00000000", "0.00000000"),
        ("1.10", "1.10"),
        ("9.88e-06", "0.00000988"),
        ("4.27e+16", "42700000000000000"),
        ("1E3", "1000"),
        ("1.50e1", "15.0"),
        ("12.5e-1", "1.25"),
        ("007.50", "7.50"),
        ("+3", "3"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("-0e5", "0"),
        ("-12.340", "-12.340"),
        (".5", "0.5"),
        ("5.", "5"),
        (" 1.5 ", "1.5"),
        (42, "42"),
        (-7, "-7"),
        (196125250733838300000, "196125250733838300000"),
        (Decimal("4.272488482253702e+16"), "42724884822537020"),
        (Decimal("0E-8"), "0.00000000"),
        (Decimal("-0.0"), "0.0"),
        (Decimal("1E-12"), "0.000000000001"),
        (0.5, "0.5"),
    ],
)
def test_every_way_to_write_a_number_becomes_plain_text(given_value: object, expected: str) -> None:
    """Strings, integers, Decimals and exponents all come out as plain decimal text."""
    assert exact_number(given_value) == expected


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_nothing_stays_nothing(nothing: object) -> None:
    """Null and empty text are no number and no mistake."""
    assert exact_number(nothing) is None


@pytest.mark.parametrize(
    "wrong",
    [
        True,
        False,
        "abc",
        "$1",
        "1,000",
        "1_000",
        "NaN",
        "Infinity",
        "-inf",
        Decimal("NaN"),
        float("inf"),
        [],
        {},
        "١٢",
        "1.2.3",
        "--1",
        "1e",
        "e5",
        ".",
        "+",
        "0x10",
        "1 2",
        "1\n2",
        b"1",
    ],
)
def test_what_is_not_a_number_is_refused_with_its_beginning(wrong: object) -> None:
    """Nothing is guessed; the reason shows what came."""
    with pytest.raises(ValueError, match="not a number"):
        exact_number(wrong)


@pytest.mark.parametrize("digits", ["1" * 1_001, "0." + "1" * 1_001, 10**1_000, "1e1001", "1e-1001", "1e99999999999"])
def test_a_number_too_long_to_keep_is_refused(digits: object) -> None:
    """More than a thousand digits, or an exponent beyond a thousand, is no price."""
    with pytest.raises(ValueError, match="1,000"):
        exact_number(digits)


def test_the_longest_numbers_allowed_are_kept() -> None:
    """A thousand digits and exponents of a thousand still pass."""
    assert exact_number("9" * 1_000) == "9" * 1_000
    assert exact_number(10**999) == "1" + "0" * 999
    assert exact_number("1e1000") == "1" + "0" * 1_000
    assert exact_number("1e-1000") == "0." + "0" * 999 + "1"


def test_an_endless_text_is_refused_without_being_shown_whole() -> None:
    """The reason stays a sentence."""
    with pytest.raises(ValueError, match="not a number") as caught:
        exact_number("x" * 1_000_000)
    assert len(str(caught.value)) < 200


@given(DECIMALS)
def test_any_decimal_comes_back_exactly(number: Decimal) -> None:
    """Value and number of decimals survive, as a Decimal and as its text."""
    text = exact_number(number)
    assert text is not None
    assert CANONICAL.fullmatch(text)
    assert Decimal(text) == number
    assert exact_number(str(number)) == text == exact_number(text)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < 0:
        assert Decimal(text).as_tuple().exponent == exponent


@given(st.integers(min_value=-(10**900), max_value=10**900))
def test_any_integer_comes_back_exactly(number: int) -> None:
    """Integers beyond 64 bits too."""
    assert exact_number(number) == str(number) == exact_number(str(number))


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), ("12", 12), ("12.0", 12), (Decimal("1E+2"), 100), (None, None)]
)
def test_a_rank_is_a_whole_number(value: object, expected: int | None) -> None:
    """A rank may be written with a fraction of zero."""
    assert whole_number(value) == expected


def test_a_rank_with_a_fraction_is_refused() -> None:
    """Half a rank means that the mapping points at something else."""
    with pytest.raises(ValueError, match=r"not a whole number: 12\.5"):
        whole_number(Decimal("12.5"))
