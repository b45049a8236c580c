"""The eight shipped connectors against answers in their providers' true shapes, every known quirk among them."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from etl_actors.errors import PayloadRefused
from etl_actors.messages import Item
from etl_actors.settings import ServiceSettings, read_configuration
from etl_actors.settings.connector import ApiKeyAuth
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import EMPTY, SymbolTable

from .shipped import CONFIG, Mapped, configuration, connector

EIGHT = {
    "binance_orderbook": "Binance - Order Book",
    "binance_prices": "Binance - Prices",
    "binance_24hr": "Binance - 24hr Ticker",
    "coingecko_global": "CoinGecko - Global",
    "coingecko_top": "CoinGecko - Top",
    "coingecko_trending": "CoinGecko - Trending",
    "cryptocompare_multi": "CryptoCompare - Multi Price",
    "cryptocompare_top": "CryptoCompare - Top",
}
TABLE = SymbolTable({"BTCUSDT": ("BTC", "USDT"), "ETHBTC": ("ETH", "BTC"), "币安人生USDT": ("币安人生", "USDT")})


def mapped(connector_id: str, body: str | Any, **params: str) -> Mapped:
    text = body if isinstance(body, str) else json.dumps(body)
    return Mapped(connector_id, text.encode(), TABLE, params)


def extra_of(item: Item) -> dict[str, Any]:
    extra: dict[str, Any] = json.loads(item.extra or "{}", parse_float=str)
    return extra


def test_the_eight_connectors_are_there_and_on() -> None:
    """Every 10 seconds, only what changed is stored, and each says when it is stale."""
    found = configuration().connectors
    assert {one.connector_id: one.connector_name for one in found if one.enabled} == EIGHT
    for one in found:
        if one.kind == "websocket":
            continue
        assert one.source_id == one.connector_id.partition("_")[0] == one.limit
        assert (one.interval_seconds, one.store, one.kind, one.method) == (10, "changed", "rest", "GET")
        assert one.stale_after_seconds is not None
        assert one.error is not None
        assert one.url.startswith("https://")
        assert "?" not in one.url
        Mapping(one, EMPTY)


def test_the_limits_are_those_of_somebody_without_a_key() -> None:
    """Binance counts weight, CoinGecko allows five calls a minute."""
    limits = configuration().limits
    assert limits["binance"].weight_per_minute == 6_000
    assert limits["coingecko"].requests_per_minute == 5
    cryptocompare = limits["cryptocompare"]
    assert (cryptocompare.requests_per_second, cryptocompare.requests_per_minute) == (20, 300)
    assert cryptocompare.requests_per_hour == 3_000
    assert [connector(f"binance_{name}").cost for name in ("orderbook", "prices", "24hr")] == [5, 4, 80]
    assert configuration().symbols["binance"].cost == 20


def test_credentials_come_from_the_environment_and_are_empty_without_it() -> None:
    """The headers are those that each provider documents."""
    variables = {"BINANCE_API_KEY": "one", "COINGECKO_API_KEY": "two", "CRYPTOCOMPARE_API_KEY": "three"}
    headers = {"binance": "X-MBX-APIKEY", "coingecko": "x-cg-demo-api-key", "cryptocompare": "Authorization"}
    values = {"binance": "one", "coingecko": "two", "cryptocompare": "three"}
    for with_keys, without in zip(
        read_configuration(CONFIG, variables).connectors, configuration().connectors, strict=True
    ):
        if with_keys.kind == "websocket":
            continue  # public streams ask for nothing
        assert isinstance(with_keys.auth, ApiKeyAuth)
        assert isinstance(without.auth, ApiKeyAuth)
        assert (with_keys.auth.header, with_keys.auth.value.reveal()) == (
            headers[with_keys.source_id],
            values[with_keys.source_id],
        )
        assert with_keys.auth.prefix == ("Apikey " if with_keys.source_id == "cryptocompare" else "")
        assert not without.auth.value


def test_the_shipped_service_file_says_every_default() -> None:
    """Every key is written out, and with the value it has without the file."""
    document = tomllib.loads((CONFIG / "service.toml").read_text("utf-8"))
    defaults = ServiceSettings()
    assert configuration().service == defaults
    assert set(document) == set(defaults.__struct_fields__)
    for section, table in document.items():
        assert set(table) == set(getattr(defaults, section).__struct_fields__)


# Binance


def test_an_order_book_is_one_item_named_by_the_request() -> None:
    """Half way between the best bid and ask; levels may carry a third element."""
    book = {
        "lastUpdateId": 74382913402,
        "bids": [["95120.10000000", "0.51200000", []], ["95120.00000000", "1.00300000", []]],
        "asks": [["95120.11000000", "2.10400000", []]],
    }
    (item,) = mapped("binance_orderbook", book).kept
    assert (item.coin_symbol, item.quote_symbol, item.price) == ("BTC", "USDT", "95120.10500000")
    assert extra_of(item) == {
        "best_bid": "95120.10000000",
        "best_bid_quantity": "0.51200000",
        "best_ask": "95120.11000000",
        "best_ask_quantity": "2.10400000",
        "last_update_id": 74382913402,
        "pair": "BTCUSDT",
    }


def test_an_order_book_with_empty_sides_has_no_price() -> None:
    """Either side may be empty, or both."""
    (item,) = mapped("binance_orderbook", {"lastUpdateId": 1, "bids": [], "asks": [["2.0", "1"]]}).kept
    assert (item.price, extra_of(item)["best_ask"]) == (None, "2.0")
    (item,) = mapped("binance_orderbook", {"lastUpdateId": 2, "bids": [], "asks": []}).kept
    assert item.price is None
    assert mapped("binance_orderbook", {"symbol": "?"}).refused[1]


def test_prices_are_split_by_the_table_and_zeros_left_out() -> None:
    """An unknown pair keeps its price and its name; a dead one gives nothing."""
    found = mapped(
        "binance_prices",
        '[{"symbol":"ETHBTC","price":"0.03412000"},{"symbol":"币安人生USDT","price":"0.13250000"},'
        '{"symbol":"NEWUSDT","price":"1E-8"},{"symbol":"BCCBTC","price":"0.00000000"},{"symbol":"BTCUSDT","price":"x"}]',
    )
    assert found.items == [
        Item(coin_symbol="ETH", quote_symbol="BTC", price="0.03412000", extra='{"pair":"ETHBTC"}'),
        Item(coin_symbol="币安人生", quote_symbol="USDT", price="0.13250000", extra='{"pair":"币安人生USDT"}'),
        Item(price="0.00000001", extra='{"pair":"NEWUSDT"}'),
        None,
    ]
    assert str(found.refused[5]) == 'price: not a number: "x"'


TICKER = {
    "symbol": "BTCUSDT",
    "priceChange": "-310.20000000",
    "priceChangePercent": "-0.325",
    "weightedAvgPrice": "95011.41250000",
    "prevClosePrice": "95430.30000000",
    "lastPrice": "95120.10000000",
    "lastQty": "0.00210000",
    "bidPrice": "95120.09000000",
    "bidQty": "1.20000000",
    "askPrice": "95120.10000000",
    "askQty": "0.80000000",
    "openPrice": "95430.30000000",
    "highPrice": "96001.00000000",
    "lowPrice": "94020.00000000",
    "volume": "18233.10210000",
    "quoteVolume": "1732361234.55120000",
    "openTime": 1765123200000,
    "closeTime": 1765209599999,
    "firstId": 5300000001,
    "lastId": 5301234567,
    "count": 1234567,
}
MINI_LACKS = (
    "priceChange",
    "priceChangePercent",
    "weightedAvgPrice",
    "prevClosePrice",
    "lastQty",
    "bidPrice",
    "askPrice",
)


def test_the_24hr_ticker_takes_the_quote_volume() -> None:
    """45 billion a day is what was traded in dollars, not in coins."""
    (item,) = mapped("binance_24hr", [TICKER]).kept
    assert item == Item(
        coin_symbol="BTC",
        quote_symbol="USDT",
        price="95120.10000000",
        volume_24h="1732361234.55120000",
        price_change_24h="-0.325",
        extra=item.extra,
    )
    assert extra_of(item) == {
        "high_24h": "96001.00000000",
        "low_24h": "94020.00000000",
        "volume_base_24h": "18233.10210000",
        "pair": "BTCUSDT",
    }


def test_dead_rows_of_the_24hr_ticker_are_skipped() -> None:
    """No price and no trade is no data; a quiet pair with a last price is."""
    dead = {**TICKER, "lastPrice": "0.00000000", "priceChangePercent": "0", "firstId": -1, "lastId": -1, "count": 0}
    quiet = {**TICKER, "count": 0}
    mini = {key: value for key, value in TICKER.items() if key not in MINI_LACKS}
    found = mapped("binance_24hr", [dead, quiet, mini])
    assert [item and (item.price, item.price_change_24h) for item in found.items] == [
        None,
        ("95120.10000000", "-0.325"),
        ("95120.10000000", None),
    ]


# CoinGecko


def test_the_global_answer_has_no_items() -> None:
    """It is an event as it is."""
    assert connector("coingecko_global").items is None
    found = mapped("coingecko_global", '{"data":{"total_market_cap":{"usd":2621040321355.0,"vnd":6.49e+16}}}')
    assert (found.provider_error, found.items) == (None, [])


COIN = (
    '{"id":"%s","symbol":"%s","name":"%s","current_price":%s,"market_cap":1555886872303,"market_cap_rank":%s,'
    '"total_volume":33235034316.0,"price_change_percentage_24h":%s,"max_supply":null,"roi":null,'
    '"last_updated":"2026-05-18T12:49:21.599Z"}'
)


def test_the_top_list_keeps_coins_of_the_same_symbol_apart() -> None:
    """Symbols are lowercase and not unique; prices are integers, floats, exponents or null."""
    rows = [
        COIN % ("bitcoin", "btc", "Bitcoin", "77671", "1", "-0.95302"),
        COIN % ("usd-coin", "usdc", "USDC", "0.999812", "6", "0.0"),
        COIN % ("bridged-usdc", "usdc", "Bridged USDC", "9.88e-06", "null", "null"),
        COIN % ("figure-heloc", "figr_heloc", "Figure Heloc", "null", "9", "null"),
    ]
    items = mapped("coingecko_top", f"[{','.join(rows)}]", vs_currency="eur").kept
    assert [(item.coin_symbol, item.coin_name, item.price, item.market_cap_rank) for item in items] == [
        ("BTC", "Bitcoin", "77671", 1),
        ("USDC", "USDC", "0.999812", 6),
        ("USDC", "Bridged USDC", "0.00000988", None),
        ("FIGR_HELOC", "Figure Heloc", None, 9),
    ]
    assert {item.quote_symbol for item in items} == {"EUR"}
    assert (items[0].volume_24h, items[0].price_change_24h) == ("33235034316.0", "-0.95302")
    assert [extra_of(item)["id"] for item in items] == ["bitcoin", "usd-coin", "bridged-usdc", "figure-heloc"]
    assert "max_supply" not in extra_of(items[0])


@pytest.mark.parametrize(
    ("data", "price"),
    [
        ("", None),
        (',"data":{"price":"$0.001445368775"}', "0.001445368775"),
        (',"data":{"price":"$2,412.46"}', "2412.46"),
        (r',"data":{"price":"$0.0<sub title=\"0.000001532\">5</sub>1532"}', "0.000001532"),
        (r',"data":{"price":"$0.0<sub>5</sub>1532"}', "0.000001532"),
        (',"data":{"price":5.938674704566297e-06}', "0.000005938674704566297"),
        (',"data":{"price":""}', None),
        (',"data":{"price":null}', None),
    ],
)
def test_trending_understands_every_form_of_price(data: str, price: str | None) -> None:
    """The provider has changed it four times; price_btc was always there."""
    coin = (
        '{"item":{"id":"bonk","name":"Bonk","symbol":"BONK","market_cap_rank":null,"price_btc":7.82e-11,"score":0%s}}'
    )
    (item,) = mapped("coingecko_trending", '{"coins":[' + coin % data + '],"nfts":[],"exchanges":[]}').kept
    assert (item.coin_symbol, item.coin_name, item.quote_symbol, item.price) == ("BONK", "Bonk", "USD", price)
    assert item.market_cap_rank is None
    assert '"price_btc":0.0000000000782' in (item.extra or "")


def test_trending_reads_amounts_and_the_dollar_change() -> None:
    """Market cap and volume are texts with dollar signs, the change has one figure a currency."""
    data = {
        "market_cap": "$521,967,819",
        "total_volume": "$31,701,707",
        "price": 1,
        "price_change_percentage_24h": {"btc": -1.25, "usd": -3.27},
    }
    coins = [{"item": {"name": "A", "symbol": "a", "market_cap_rank": 103, "data": data}}]
    (item,) = mapped("coingecko_trending", {"coins": coins}).kept
    assert (item.market_cap, item.volume_24h) == ("521967819", "31701707")
    assert (item.price_change_24h, item.market_cap_rank) == ("-3.27", 103)


# CryptoCompare

RAW = {"FROMSYMBOL": "BTC", "TOSYMBOL": "USD", "MARKET": "CCCAGG", "PRICE": 90176.22, "LASTUPDATE": 1767411267}
RAW |= {
    "VOLUME24HOURTO": 2771230723.0,
    "TOTALVOLUME24HTO": 23071033571.5,
    "CHANGEPCT24HOUR": 1.49,
    "MKTCAP": 1800887889241.2,
}


def test_every_pair_of_the_multi_price_is_an_item() -> None:
    """All coins, all currencies; a market cap of zero is unknown; prices may be strings; DISPLAY is never read."""
    body = {
        "RAW": {
            "BTC": {"USD": RAW, "EUR": {**RAW, "TOSYMBOL": "EUR", "PRICE": "0.6356"}},
            "XYZ": {"USD": {**RAW, "FROMSYMBOL": "XYZ", "MKTCAP": 0}},
        },
        "DISPLAY": {"BTC": {"USD": {"PRICE": "$ 90,176.2"}}},
    }
    items = mapped("cryptocompare_multi", body).kept
    assert [(item.coin_symbol, item.quote_symbol, item.price, item.market_cap) for item in items] == [
        ("BTC", "USD", "90176.22", "1800887889241.2"),
        ("BTC", "EUR", "0.6356", "1800887889241.2"),
        ("XYZ", "USD", "90176.22", None),
    ]
    assert (items[0].volume_24h, items[0].price_change_24h) == ("2771230723.0", "1.49")
    assert extra_of(items[0])["last_updated"] == "2026-01-03T03:34:27Z"


def test_the_top_list_ranks_by_position() -> None:
    """Name is the symbol; a coin without market data is kept without a price."""
    body = {
        "Message": "Success",
        "Type": 100,
        "Data": [
            {"CoinInfo": {"Id": "1182", "Name": "BTC", "FullName": "Bitcoin", "NetHashesPerSecond": 2**67},
             "RAW": {"EUR": {**RAW, "TOSYMBOL": "EUR"}}, "DISPLAY": {"EUR": {}}},
            {"CoinInfo": {"Id": "2", "Name": "NODATA", "FullName": "No Data"}},
            {"CoinInfo": {"Id": "3", "Name": "ZERO", "FullName": "Zero"}, "RAW": {"EUR": {**RAW, "MKTCAP": 0.0}}},
        ],
    }  # fmt: skip
    items = mapped("cryptocompare_top", body, tsym="EUR").kept
    assert [
        (item.market_cap_rank, item.coin_symbol, item.coin_name, item.quote_symbol, item.price, item.market_cap)
        for item in items
    ] == [
        (1, "BTC", "Bitcoin", "EUR", "90176.22", "1800887889241.2"),
        (2, "NODATA", "No Data", None, None, None),
        (3, "ZERO", "Zero", "USD", "90176.22", None),
    ]
    assert items[0].volume_24h == "23071033571.5"


# What providers say instead


@pytest.mark.parametrize(
    ("source", "body", "says"),
    [
        ("binance", {"code": -1121, "msg": "Invalid symbol."}, "Invalid symbol. (code -1121)"),
        (
            "binance",
            {"code": 0, "msg": "Service unavailable from a restricted location"},
            "restricted location (code 0)",
        ),
        ("coingecko", {"error": "Missing parameter vs_currency"}, "Missing parameter vs_currency"),
        ("coingecko", {"status": {"error_code": 429, "error_message": "Rate Limit"}}, "Rate Limit (code 429)"),
        ("coingecko", {"error": {"status": {"error_code": 10002, "error_message": "No key"}}}, "No key (code 10002)"),
        ("cryptocompare", {"Response": "Error", "Message": "Over your limit", "Data": {}}, "Over your limit"),
        ("cryptocompare", {"Err": {"message": "API key required"}}, "API key required"),
    ],
)
def test_an_error_in_place_of_data_is_recognised(source: str, body: Any, says: str) -> None:
    """Whatever its status: by every connector of the provider, in the provider's words, and never as items."""
    for one in configuration().connectors:
        if one.source_id != source:
            continue
        mapping = Mapping(one, TABLE)
        assert (mapping.provider_error(body) or "").endswith(says)
        if one.items is not None and not one.items.single:
            with pytest.raises(PayloadRefused, match="expected a list"):
                mapping.elements(body)


@pytest.mark.parametrize("connector_id", [name for name in EIGHT if name != "coingecko_global"])
@pytest.mark.parametrize("element", [{}, {"unknown": 1}, "text", None])
def test_an_element_in_a_foreign_shape_is_refused(connector_id: str, element: Any) -> None:
    """Position and request alone make no item."""
    with pytest.raises(PayloadRefused):
        Mapping(connector(connector_id), TABLE).map_element(element, 1, connector(connector_id).request_params())
