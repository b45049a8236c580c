"""A connector's mapping: elements become items, and what cannot is refused with the field and the value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etl_actors.errors import ConfigError, PayloadRefused
from etl_actors.messages import Item
from etl_actors.settings import ConnectorSettings, ItemMapping
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import EMPTY, SymbolTable


def connector(**items: Any) -> ConnectorSettings:
    error = items.pop("error", None)
    return ConnectorSettings(
        connector_id="mine",
        connector_name="My Prices",
        source_id="my_exchange",
        url="https://api.example.com/prices",
        params={"symbol": "BTCUSDT", "page": 1, "full": True},
        error=error,
        items=ItemMapping(**items) if items else None,
    )


def map_one(element: Any, table: SymbolTable = EMPTY, position: int = 1, **items: Any) -> Item | None:
    settings = connector(**items)
    return Mapping(settings, table).map_element(element, position, settings.request_params())


def test_a_mapping_knows_its_names() -> None:
    """They go with every row."""
    mapping = Mapping(connector(), EMPTY)
    assert (mapping.api_name, mapping.exchange, mapping.has_items) == ("My Prices", "my_exchange", False)
    assert mapping.elements({"any": "thing"}) == ()
    assert Mapping(connector(price="p"), EMPTY).has_items


def test_every_field_is_filled_exactly() -> None:
    """Numbers as text with every digit, texts without blanks, the rank as a number."""
    item = map_one(
        {"n": " Bitcoin ", "s": "btc", "p": "95000.50", "c": 1900000000000, "v": Decimal("4.5E+10"), "d": -2, "r": "1"},
        coin_name="n",
        coin_symbol="upper(s)",
        quote_symbol="'USD'",
        price="p",
        market_cap="c",
        volume_24h="v",
        price_change_24h="d",
        market_cap_rank="r",
    )
    assert item == Item(
        coin_name="Bitcoin",
        coin_symbol="BTC",
        quote_symbol="USD",
        price="95000.50",
        market_cap="1900000000000",
        volume_24h="45000000000",
        price_change_24h="-2",
        market_cap_rank=1,
    )


def test_extra_keeps_what_was_sent_and_leaves_out_nulls() -> None:
    """Strings stay strings, numbers keep their digits, lists and objects may stand there too."""
    item = map_one(
        {"p": 1, "h": "2.50", "l": Decimal("0E-8"), "roi": {"times": Decimal("1.50")}, "none": None},
        price="p",
        extra={"high": "h", "low": "l", "roi": "roi", "none": "none", "gone": "a.b"},
    )
    assert item is not None
    assert item.extra == '{"high":"2.50","low":0.00000000,"roi":{"times":1.50}}'


def test_an_asked_pair_is_kept_in_extra() -> None:
    """Also when nobody knows it; its symbols are then null."""
    table = SymbolTable({"BTCUSDT": ("BTC", "USDT")})
    fields: dict[str, Any] = {"coin_symbol": "base_asset(s)", "quote_symbol": "quote_asset(s)", "price": "p"}
    known = map_one({"s": "BTCUSDT", "p": "1"}, table, **fields)
    assert known == Item(coin_symbol="BTC", quote_symbol="USDT", price="1", extra='{"pair":"BTCUSDT"}')
    unknown = map_one({"s": "币安人生USDT", "p": "1"}, table, **fields)
    assert unknown == Item(price="1", extra='{"pair":"币安人生USDT"}')
    own = map_one({"s": "BTCUSDT", "p": "1"}, table, extra={"pair": "lower(s)"}, **fields)
    assert own is not None
    assert own.extra == '{"pair":"btcusdt"}'


def test_a_pair_does_not_leak_into_the_next_element() -> None:
    """An element that names none has none."""
    mapping = Mapping(connector(coin_symbol="base_asset(s)", price="p"), EMPTY)
    assert mapping.map_element({"s": "AB", "p": 1}, 1, {}) == Item(price="1", extra='{"pair":"AB"}')
    assert mapping.map_element({"p": 2}, 2, {}) == Item(price="2")


def test_a_replaced_table_takes_effect_at_once() -> None:
    """The source's fresh list reaches mappings that are in use."""
    table = SymbolTable()
    mapping = Mapping(connector(coin_symbol="base_asset(s)", price="p"), table)
    element = {"s": "NEWUSDT", "p": 1}
    before = mapping.map_element(element, 1, {})
    table.replace({"NEWUSDT": ("NEW", "USDT")})
    after = mapping.map_element(element, 1, {})
    assert before is not None
    assert after is not None
    assert (before.coin_symbol, after.coin_symbol) == (None, "NEW")


def test_position_and_parameters_are_those_of_the_element() -> None:
    """Numbers and booleans of the request arrive as their text."""
    item = map_one(
        {"p": 1},
        position=7,
        market_cap_rank="position()",
        price="p",
        coin_name="param('page')",
        extra={"f": "param('full')"},
    )
    assert item == Item(market_cap_rank=7, price="1", coin_name="1", extra='{"f":"true"}')


def test_skipped_elements_give_nothing() -> None:
    """Skipping is no refusal."""
    assert map_one({"count": 0, "p": "0"}, skip="count == `0`", price="p") is None
    assert map_one({"count": Decimal("0.0"), "p": "0"}, skip="count == `0`", price="p") is None
    assert map_one({"count": 5, "p": "1"}, skip="count == `0`", price="p") == Item(price="1")


@pytest.mark.parametrize(
    ("element", "where", "says"),
    [
        ({"s": "A", "p": "abc"}, "price", 'price: not a number: "abc"'),
        ({"s": "A", "p": True}, "price", "price: not a number: true"),
        ({"s": "A", "p": {"usd": 1}}, "price", "price: not a number: an object with usd"),
        ({"s": "A", "p": [1, 2]}, "price", "price: not a number: a list of 2"),
        ({"s": "A", "p": "9" * 2_000}, "price", "price: a number of more than 1,000 digits"),
        ({"s": {"x": 1}, "p": 1}, "coin_symbol", "coin_symbol: not a text: an object with x"),
        ({"s": ["A"], "p": 1}, "coin_symbol", "coin_symbol: not a text: a list of 1"),
        ({"s": False, "p": 1}, "coin_symbol", "coin_symbol: not a text: false"),
        ({"s": "A\0B", "p": 1}, "coin_symbol", "NUL"),
        ({"s": "A" * 1_001, "p": 1}, "coin_symbol", "more than 1,000"),
        ({"s": "A", "p": 1, "r": "1.5"}, "market_cap_rank", 'market_cap_rank: not a whole number: "1.5"'),
        ({"s": "A", "p": 1, "r": 2**63}, "market_cap_rank", "beyond 64 bits"),
        ({"s": "A", "p": 1, "m": "$x"}, "market_cap", 'market_cap: not an amount of money: "$x"'),
        ({"s": "A", "p": 1, "e": "a\0"}, "extra", "NUL"),
        ({"s": "A", "p": 1, "u": 5}, "volume_24h", "volume_24h: In function lower(), invalid type for value: 5"),
    ],
)
def test_a_wrong_field_refuses_its_element(element: Any, where: str, says: str) -> None:
    """The refusal names the field and the value."""
    with pytest.raises(PayloadRefused) as caught:
        map_one(
            element,
            coin_symbol="s",
            price="p",
            market_cap="money(m)",
            market_cap_rank="r",
            volume_24h="lower(u)",
            extra={"e": "e"},
        )
    assert caught.value.where == where
    assert says in str(caught.value)


def test_a_number_may_stand_for_a_text() -> None:
    """A coin may be called 123."""
    assert map_one({"s": 123, "p": 1}, coin_symbol="s", price="p") == Item(coin_symbol="123", price="1")


@pytest.mark.parametrize(
    "element", [{}, {"other": 1}, {"s": None, "p": None}, {"s": " ", "p": ""}, "text", 5, None, [1]]
)
def test_an_element_that_says_nothing_is_refused(element: Any) -> None:
    """What the request says, or the place in the list, is no data of the element."""
    with pytest.raises(PayloadRefused, match="every mapped field is null"):
        map_one(element, coin_symbol="s", price="p", market_cap_rank="position()", quote_symbol="param('symbol')")


def test_an_item_named_by_the_request_is_kept_for_its_extra() -> None:
    """An order book with one empty side has no price, yet says what the other side is."""
    fields: dict[str, Any] = {
        "single": True,
        "coin_symbol": "param('symbol')",
        "price": "mid(b, a)",
        "extra": {"bid": "b"},
    }
    assert map_one({"b": "1"}, **fields) == Item(coin_symbol="BTCUSDT", extra='{"bid":"1"}')
    with pytest.raises(PayloadRefused, match="every mapped field is null"):
        map_one({"x": 1}, **fields)


def test_a_list_is_expected_where_the_mapping_says() -> None:
    """The refusal tells what came instead."""
    mapping = Mapping(connector(each="data.coins", price="p"), EMPTY)
    assert list(mapping.elements({"data": {"coins": [1, 2]}})) == [1, 2]
    with pytest.raises(PayloadRefused) as caught:
        mapping.elements({"error": "Missing parameter vs_currency"})
    assert str(caught.value) == (
        "expected a list at `data.coins`, found null there; the provider sent an object:"
        ' {"error":"Missing parameter vs_currency"}'
    )
    whole = Mapping(connector(price="p"), EMPTY)
    with pytest.raises(PayloadRefused, match="expected a list at `@`, the provider sent an object: "):
        whole.elements({"error": "x" * 10_000})
    with pytest.raises(PayloadRefused, match='expected a list at `@`, the provider sent "Throttled"'):
        whole.elements("Throttled")


def test_single_takes_the_whole_answer_as_one_element() -> None:
    """An answer without a list can be one item."""
    mapping = Mapping(connector(single=True, price="p"), EMPTY)
    assert list(mapping.elements({"p": 1})) == [{"p": 1}]
    with pytest.raises(PayloadRefused, match="expected one object at `@`, the provider sent null"):
        mapping.elements(None)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"code": -1121, "msg": "Invalid symbol."}, "the provider reports an error: Invalid symbol. (code -1121)"),
        ({"code": 0, "msg": "Restricted"}, "the provider reports an error: Restricted (code 0)"),
        ({"error": "coin not found"}, "the provider reports an error: coin not found"),
        ({"error": {"status": {"error_code": 10002, "error_message": "No key"}}},
         "the provider reports an error: No key (code 10002)"),
        ({"status": {"error_code": 429, "error_message": "Slow down"}},
         "the provider reports an error: Slow down (code 429)"),
        ({"Response": "Error", "Message": "Over your limit", "Type": 99},
         "the provider reports an error: Over your limit"),
        ({"Err": {"message": "API key required"}}, "the provider reports an error: API key required"),
        ({"error": True}, "the provider reports an error"),
    ],
)  # fmt: skip
def test_what_the_provider_says_is_passed_on(document: Any, sentence: str) -> None:
    """Whatever shape it says it in."""
    expression = "code || error || status.error_code || Err || Response == 'Error'"
    assert Mapping(connector(error=expression), EMPTY).provider_error(document) == sentence


def test_an_answer_without_an_error_reports_none() -> None:
    """Lists, objects and scalars alike; and a mapping without an error expression sees none."""
    mapping = Mapping(connector(error="code || error"), EMPTY)
    assert [mapping.provider_error(good) for good in ([{"code": 1}], {"data": 1}, 5, None)] == [None] * 4
    assert Mapping(connector(), EMPTY).provider_error({"error": "x"}) is None


def test_a_long_complaint_is_shortened() -> None:
    """One sentence for the status, not a page."""
    said = Mapping(connector(error="msg"), EMPTY).provider_error({"msg": "word\n" * 10_000})
    assert said is not None
    assert len(said) < 260
    assert "\n" not in said


def test_every_wrong_expression_is_told_at_once() -> None:
    """Each with its file and the path of its key."""
    with pytest.raises(ConfigError) as caught:
        Mapping(connector(error="a b", each="x[", price="mony(p)", extra={"high": "h."}), EMPTY, file="my.toml")
    assert [(file, path) for file, path, _ in caught.value.mistakes] == [
        ("my.toml", "mine.error"),
        ("my.toml", "mine.items.each"),
        ("my.toml", "mine.items.price"),
        ("my.toml", "mine.items.extra.high"),
    ]
