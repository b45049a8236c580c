"""Symbol tables: exact, replaceable, read from what a source publishes, shipped as a snapshot."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from etl_actors.errors import ConfigError, PayloadRefused
from etl_actors.settings import SymbolSettings
from etl_actors.shipped import shipped_config
from etl_actors.transforms.symbols import EMPTY, SymbolTable, read_symbols, shipped_snapshot, symbol_reader

URL = "https://api.example.com/pairs"


def test_lookups_are_exact() -> None:
    """No case, no ending, no part of a pair is guessed."""
    table = SymbolTable({"BTCUSDT": ("BTC", "USDT")})
    assert len(table) == 1
    assert table.resolve("BTCUSDT") == ("BTC", "USDT")
    assert [table.resolve(pair) for pair in ("btcusdt", "BTCUSD", "ETHUSDT", "")] == [None] * 4


def test_replacing_forgets_what_was_there() -> None:
    """The source's newest list is the whole truth."""
    table = SymbolTable({"A": ("a", "b")})
    table.replace({"B": ("c", "d")})
    assert (table.resolve("A"), table.resolve("B"), len(table)) == (None, ("c", "d"), 1)


def test_the_shared_empty_table_stays_empty() -> None:
    """Whoever wants to fill a table makes one."""
    with pytest.raises(TypeError, match="stays empty"):
        EMPTY.replace({"A": ("a", "b")})
    assert EMPTY.resolve("A") is None


def test_a_sources_list_is_read_by_its_keys() -> None:
    """The keys are JMESPath; rows that do not name a pair and its two assets are left out."""
    rows: list[Any] = [
        {"symbol": "ADAEUR", "baseAsset": "ADA", "quoteAsset": "EUR"},
        {"symbol": "币安人生USDT", "baseAsset": "币安人生", "quoteAsset": "USDT"},
        {"symbol": "", "baseAsset": "X", "quoteAsset": "Y"},
        {"symbol": "NOQUOTE", "baseAsset": "NO"},
        {"symbol": 5, "baseAsset": "A", "quoteAsset": "B"},
        {"symbol": "A\0B", "baseAsset": "A", "quoteAsset": "B"},
        "text",
        None,
    ]
    expected = {"ADAEUR": ("ADA", "EUR"), "币安人生USDT": ("币安人生", "USDT")}
    assert read_symbols({"symbols": rows}, SymbolSettings(url=URL)) == expected
    other = SymbolSettings(url=URL, each="@", pair="id", base="split.base", quote="split.quote")
    found = read_symbols([{"id": "BTC-USD", "split": {"base": "BTC", "quote": "USD"}}], other)
    assert found == {"BTC-USD": ("BTC", "USD")}


@pytest.mark.parametrize("answer", [None, [], {}, {"symbols": {}}, {"symbols": []}, {"symbols": [{}]}, {"code": -1003}])
def test_an_answer_without_usable_rows_is_refused(answer: Any) -> None:
    """A table is never replaced by nothing."""
    with pytest.raises(PayloadRefused):
        read_symbols(answer, SymbolSettings(url=URL))


def test_a_wrong_key_is_told_with_its_place() -> None:
    """Before the source is asked."""
    with pytest.raises(ConfigError) as caught:
        symbol_reader(SymbolSettings(url=URL, base="a b"), source_id="mine", file="f.toml")
    assert caught.value.mistakes[0][:2] == ("f.toml", "symbols.mine.base")


def test_a_snapshot_lists_bases_by_quote(tmp_path: Path) -> None:
    """The compact form spells out every pair."""
    (tmp_path / "symbols").mkdir()
    (tmp_path / "symbols" / "mine.toml").write_text(
        '[bases_by_quote]\nEUR = """\nADA\nBTC"""\n"456" = "这是"\n', "utf-8"
    )
    assert shipped_snapshot("mine", tmp_path) == {
        "ADAEUR": ("ADA", "EUR"),
        "BTCEUR": ("BTC", "EUR"),
        "这是456": ("这是", "456"),
    }


@pytest.mark.parametrize("source_id", ["", "nobody", "../connectors/binance", "."])
def test_a_source_without_a_snapshot_has_none(source_id: str) -> None:
    """Nor can a name reach outside the folder."""
    assert shipped_snapshot(source_id) == {}


TRAPS = """
BTC/USDT ETH/BTC USDC/USDT USDT/TRY ADA/EUR LUNA/EUR THETA/EUR GALA/EUR BTC/GYEN WBTC/BTC BETH/ETH RENBTC/BTC AEUR/USDT
BTCUP/USDT ETHBEAR/USDT 1INCH/USDT 1000SATS/USDT 1MBABYDOGE/USDT 币安人生/USDT 龙虾/USDT 哈基米/USDT
"""


@pytest.mark.parametrize("assets", TRAPS.split())
def test_the_shipped_snapshot_knows_the_traps(assets: str) -> None:
    """Pairs that cutting by their ending gets wrong."""
    base, _, quote = assets.partition("/")
    assert shipped_snapshot("binance")[base + quote] == (base, quote)


def test_no_pair_of_the_shipped_snapshot_can_be_read_two_ways() -> None:
    """Every pair has exactly one base and quote, and the list is long enough to be of use."""
    text = (shipped_config() / "symbols" / "binance.toml").read_text("utf-8")
    written = sum(len(bases.split()) for bases in tomllib.loads(text)["bases_by_quote"].values())
    assert len(shipped_snapshot("binance")) == written > 1_500


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("BTC-USD", ("BTC", "USD")),
        ("BTC/USD", ("BTC", "USD")),
        ("ETH-BTC", ("one", "two")),
        ("BTCUSD", None),
        ("BTC-USD-PERP", None),
        ("BTC-", None),
        ("-", None),
    ],
)
def test_a_pair_that_is_written_in_two_needs_no_table(pair: str, expected: tuple[str, str] | None) -> None:
    """The table goes first, and nothing is guessed."""
    assert SymbolTable({"ETH-BTC": ("one", "two")}).resolve(pair) == expected
