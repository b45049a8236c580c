"""Repeatable chance: numbers that look random and depend on nothing but what they are asked for.

The walk, the order books and the made-up coins draw from here instead of from a generator with a state, so that the
same seed and the same moment give the same exchange, in whatever order its clients ask. Nothing here is a secret.
"""

from __future__ import annotations

from statistics import NormalDist
from zlib import crc32

_MASK = (1 << 64) - 1
_BELLS = 2048
_NORMAL = tuple(NormalDist().inv_cdf((place + 0.5) / _BELLS) for place in range(_BELLS))


def mix(first: int, second: int) -> int:
    """Sixty-four well-stirred bits that depend on both numbers."""
    bits = (first * 0x9E3779B97F4A7C15 + second * 0xD1B54A32D192ED03 + 0x8CB92BA72F3D8DD7) & _MASK
    bits = ((bits ^ (bits >> 31)) * 0xBF58476D1CE4E5B9) & _MASK
    bits = ((bits ^ (bits >> 29)) * 0x94D049BB133111EB) & _MASK
    return bits ^ (bits >> 32)


def key_of(seed: int, text: str) -> int:
    """The number that stands for this text under this seed."""
    return mix(seed, crc32(text.encode()))


def normal(first: int, second: int) -> float:
    """A draw from the standard normal distribution."""
    return _NORMAL[mix(first, second) >> 53]


def share(first: int, second: int) -> float:
    """A draw between 0 (included) and 1 (excluded)."""
    return (mix(first, second) >> 11) / (1 << 53)
