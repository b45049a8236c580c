"""One asset's price in US dollars: a geometric random walk that can be asked for any moment, in any order.

The walk is Lévy's construction of Brownian motion. Wide steps fix points of a coarse grid (about a quarter of an hour
apart), each step between two known points adds a bump half as wide at their middle, down to a tenth of a second. Every
bump is drawn from the seed and its own place, so asking for noon before morning, or never asking at all, changes
nothing, and a clock that leaps a day costs no more than one that crawls.
"""

from __future__ import annotations

from math import log, sqrt

from etl_actors.sandbox.chance import key_of, normal
from etl_actors.sandbox.clock import TICKS_PER_SECOND

GRID_LEVELS = 13
GRID_TICKS = 1 << GRID_LEVELS
DAY_TICKS = 86_400 * TICKS_PER_SECOND
_SPAN = 128  # grid points between two points drawn without a neighbour's help
_HISTORY_SPANS = 8  # how much past there is before the exchange opens: more than a week
_ORIGIN = _HISTORY_SPANS * _SPAN * GRID_TICKS
_REMEMBERED = 4 * _SPAN
# (width of a bump in ticks, its mask, half of it), widest first
_BUMPS = tuple((level, (1 << level) - 1, 1 << (level - 1)) for level in range(GRID_LEVELS, 0, -1))


def grid_span(since: int, until: int) -> tuple[int, int]:
    """The first and last index of the grid after tick ``since`` and up to tick ``until``."""
    return (since + _ORIGIN) // GRID_TICKS + 1, (until + _ORIGIN) // GRID_TICKS


class Walk:
    """The logarithm of a price over time; ``start`` at tick 0, ``volatility`` is the deviation of one day."""

    def __init__(self, seed: int, name: str, start: float, volatility: float) -> None:
        self._key = key_of(seed, name)
        self._deviation = volatility / sqrt(DAY_TICKS)  # of one tick
        self._grid: dict[int, float] = {}
        self._cells = [-1] * len(_BUMPS)
        self._heights = [0.0] * len(_BUMPS)
        self._recent: tuple[tuple[int, int], list[float]] = ((0, 0), [])
        self._last: tuple[int, float] = (-1, 0.0)
        self._offset = 0.0
        self._offset = log(start) - self.at(0)
        self._last = (-1, 0.0)

    def at(self, tick: int) -> float:
        """The logarithm of the price at this tick."""
        position = tick + _ORIGIN
        if position == self._last[0]:
            return self._last[1]
        value = self._between(position) + self._offset
        for place, (level, mask, half) in enumerate(_BUMPS):
            inside = position & mask
            if not inside:
                break  # every narrower bump is zero here too
            cell = position >> level
            if cell != self._cells[place]:
                self._cells[place] = cell
                self._heights[place] = self._bump(level, cell)
            value += self._heights[place] * (inside if inside <= half else mask + 1 - inside) / half
        self._last = (position, value)
        return value

    def roughly_at(self, tick: int) -> float:
        """The same without the bumps narrower than the grid: good enough for a price of yesterday."""
        return self._between(tick + _ORIGIN) + self._offset

    def points(self, span: tuple[int, int]) -> list[float]:
        """The points of the grid from one index to another, both included."""
        if self._recent[0] != span:
            self._recent = (span, [self._point(index) + self._offset for index in range(span[0], span[1] + 1)])
        return self._recent[1]

    def _between(self, position: int) -> float:
        index, inside = divmod(position, GRID_TICKS)
        left = self._point(index)
        return left + (self._point(index + 1) - left) * (inside / GRID_TICKS)

    def _point(self, index: int) -> float:
        known = self._grid.get(index)
        if known is not None:
            return known
        if len(self._grid) > _REMEMBERED:
            self._grid.clear()
        if index % _SPAN == 0:
            value = sum(self._stride(span) for span in range(index // _SPAN))
        else:
            low = index & -index
            level = GRID_LEVELS + low.bit_length()
            middle = (self._point(index - low) + self._point(index + low)) / 2
            value = middle + self._bump(level, index >> low.bit_length())
        self._grid[index] = value
        return value

    def _stride(self, span: int) -> float:
        return normal(self._key, span) * self._deviation * sqrt(_SPAN * GRID_TICKS)

    def _bump(self, level: int, cell: int) -> float:
        return normal(self._key + level, cell) * self._deviation * sqrt(1 << level) / 2
