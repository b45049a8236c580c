"""What is known of a source's pairs before it was asked."""

from __future__ import annotations

from etl_actors.assembly import shipped_tables, use_stored_pairs
from etl_actors.settings import Configuration, SymbolSettings


def test_what_a_source_said_last_goes_before_the_shipped_snapshot() -> None:
    """A source that was never asked keeps the snapshot; what is stored of one that is gone is left alone."""
    symbols = {"binance": SymbolSettings(url="https://example.org")}
    tables = shipped_tables(Configuration(symbols=symbols))
    assert tables["binance"].resolve("BTCUSDT") == ("BTC", "USDT")
    use_stored_pairs(tables, {"binance": {}, "gone": {"XY": ("X", "Y")}})
    assert tables["binance"].resolve("BTCUSDT") == ("BTC", "USDT")
    use_stored_pairs(tables, {"binance": {"NEWUSDT": ("NEW", "USDT")}})
    assert tables["binance"].resolve("NEWUSDT") == ("NEW", "USDT")
    assert tables["binance"].resolve("BTCUSDT") is None
