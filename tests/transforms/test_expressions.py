"""JMESPath is checked before any data is met, and compiled to mean what it means."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import jmespath
import pytest

from etl_actors.errors import ConfigError
from etl_actors.transforms.expressions import compile_expression, is_truthy
from etl_actors.transforms.functions import MappingFunctions


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("RAW.", "something is missing after 'RAW.'; complete it"),
        ("a b", "unexpected 'b' at character 3"),
        ("a = b", "write == to compare"),
        ("count == 0", "between backticks"),
        ("price-change", "in double quotes"),
        ("'abc", "close the '"),
        ("mony(price)", "did you mean money()?"),
        ("mid(a)", "mid() takes 2 argument(s), not 1"),
        ("a | [?base_asset() == b]", "base_asset() takes 1 argument(s), not 0"),
        ("not_null()", "at least 1"),
        ("(" * 5_000, "nested too deeply"),
    ],
)
def test_a_wrong_expression_is_explained_with_its_mend(expression: str, reason: str) -> None:
    """Where it is wrong, and what to write instead, before any data is met."""
    with pytest.raises(ConfigError) as caught:
        compile_expression(expression, MappingFunctions(), file="f.toml", place="x.items.price")
    ((file, place, told),) = caught.value.mistakes
    assert (file, place) == ("f.toml", "x.items.price")
    assert reason in told
    assert "\n" not in told


def test_truth_is_jmespaths() -> None:
    """Zero is true, what is empty is not."""
    true: list[Any] = [0, Decimal(0), "x", [0], True]
    false: list[Any] = [None, False, "", [], {}]
    assert all(map(is_truthy, true))
    assert not any(map(is_truthy, false))


@pytest.mark.parametrize(
    "expression",
    [
        "a.b",
        "a[0].b",
        "a[-1]",
        "a[5]",
        "a[0:1]",
        "*.b",
        "a[*].b",
        "a && b || c",
        "!a",
        "a == b",
        "{x: a}",
        "a | [0]",
        "RAW.* | [0].PRICE",
        "a[?b > `1`].b",
        "@",
        "`[1.5, 2]`",
        "sort_by(a, &b)[0]",
        "length(a)",
        "b.c.d.e",
        "'t'",
    ],
)
def test_compiled_expressions_agree_with_jmespath(expression: str) -> None:
    """Whatever is compiled means what the interpreter means."""
    documents: list[dict[str, Any]] = [
        {"a": [{"b": 2}, {"b": 1}], "b": {"c": {"d": {"e": 1}}}, "c": 0, "RAW": {"USD": {"PRICE": 5}}},
        {"a": [], "b": None, "RAW": {}},
        {"a": [{"b": 3}], "b": "text"},
    ]
    for document in documents:
        read = compile_expression(expression, MappingFunctions()).read
        assert read(document) == jmespath.search(expression, document)
