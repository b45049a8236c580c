"""What the decoder says about types and bounds, in plain words."""

from __future__ import annotations

import pytest

from etl_actors.settings.wording import in_plain_words


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("Expected `float`, got `str`", "a number is needed, this is a text"),
        ("Expected `int | float | null`, got `bool`", "a number is needed, this is true or false"),
        (
            "Expected `str | bool`, got `object`",
            "a text or true or false is needed, this is a table (an object in JSON)",
        ),
        ("Expected `str`, got `datetime`", "a text is needed, this is `datetime`"),
        ("Expected `float` >= 0.0", "a number is needed that is at least 0"),
        ("Expected `int` <= 65535", "a whole number is needed that is at most 65535"),
        ("Expected `str | null` of length >= 1", "a text that is not empty is needed"),
        ("Expected `array` of length <= 3", "a list of at most 3 elements is needed"),
        ("Something nobody foresaw", "Something nobody foresaw"),
    ],
)
def test_types_and_bounds_are_said_as_people_say_them(words: str, plain: str) -> None:
    """And anything else is left as it is."""
    assert in_plain_words(words) == plain
