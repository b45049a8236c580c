"""What can be turned while the sandbox runs, besides faults: forms a provider has had, periods, keys, limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=86_400)]
SequenceBase = Annotated[
    int, msgspec.Meta(ge=0, le=9_000_000_000_000_000_000)
]  # what is counted on from it fits 64 bits
TrendingPrice = Literal["float", "dollar", "html", "absent"]


class Switches(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The ``*_seconds`` are how long CoinGecko serves the same body, and the max-age it announces.

    ``trending_price``: a JSON float (2026), "$..." (January 2024), "$..." with zeros folded into HTML (late 2023),
    or no ``data`` at all (2021). ``cryptocompare_key_required``: keyless calls get the 401 of today.
    ``enforce_weight``: Binance refuses beyond its 6,000 a minute.

    Of the streams: ``stream_age_seconds`` is how long a connection may live (Binance's 24 hours), ``ping_seconds`` how
    often Binance asks whether anybody is there, ``pong_seconds`` how long it waits for the answer. ``sequence_base`` is
    added to every id that counts updates (Binance's order books over REST too, Coinbase's sequence): beyond 2^53 they
    are no longer exact as floats.
    """

    trending_price: TrendingPrice = "float"
    markets_seconds: Seconds = 10.0
    global_seconds: Seconds = 30.0
    trending_seconds: Seconds = 30.0
    cryptocompare_key_required: bool = False
    enforce_weight: bool = False
    stream_age_seconds: Seconds = 86_400.0
    ping_seconds: Seconds = 20.0
    pong_seconds: Seconds = 60.0
    sequence_base: SequenceBase = 0
