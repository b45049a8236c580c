"""Made-up coins, as many as a list needs.

Their symbols and names come from syllables, the same ones whatever the seed, so that pairs keep their names from run
to run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from etl_actors.sandbox.assets import Asset
from etl_actors.sandbox.chance import mix, share

_ONSETS: tuple[str, ...] = (*"bcdfghjklmnprstvwz", "br", "cr", "dr", "fl", "gr", "kr", "pl", "pr", "st", "tr")
_VOWELS = "aeiou"
_CODAS = ["", "", "", "n", "x", "r", "l", "s", "m"]
_KINDS = ["", " Network", " Protocol", " Finance", " Token", " AI", " Games", " DAO", " Chain", " Swap"]
_STIR = 20_17  # of the made-up names: fixed, so that they are the same under every seed


def made_up_coins(taken: set[str]) -> Iterator[Asset]:
    """Coins without end whose symbols are not ``taken``, from larger to smaller."""
    rank = 0
    for draw in count():
        symbol = (_syllable(draw, 1) + _syllable(draw, 2))[: 3 + mix(draw, 7) % 4].upper()
        if symbol in taken:
            continue
        taken.add(symbol)
        rank += 1
        yield _made_up(symbol, rank, draw)


def _made_up(symbol: str, rank: int, draw: int) -> Asset:
    price = 10 ** (share(draw, 11) * 6 - 4.5)
    value = 9e8 / (1 + rank / 12) ** 1.1 * (0.9 + share(draw, 12) / 5)
    name = symbol.capitalize() + _KINDS[mix(draw, 13) % len(_KINDS)]
    most = float(int(value / price * 1.7)) if mix(draw, 14) % 5 < 2 else None
    slug = name.lower().replace(" ", "-")
    turnover = value * (0.01 + share(draw, 15) / 8)
    return Asset(symbol, slug, name, price, value / price, turnover, 0.04 + share(draw, 16) * 0.05, most)


def _syllable(draw: int, place: int) -> str:
    bits = mix(draw * 8 + place, _STIR)
    onset, vowel = _ONSETS[bits % len(_ONSETS)], _VOWELS[(bits >> 8) % len(_VOWELS)]
    return onset + vowel + _CODAS[(bits >> 16) % len(_CODAS)]
