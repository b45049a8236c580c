"""The arithmetic of a provider's allowance; nothing here waits or knows what time it is.

:class:`Allowance` is one declared limit: so much in so many seconds. :func:`stretched` says how far apart the calls of
each connector have to be so that all of them together stay inside every allowance; :class:`Window` remembers what was
used lately and says how long the next call has to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from ..settings import LimitSettings

# Two clocks that should agree differ by rounding.
_ROUNDING_SECONDS = 1e-6
_SLICES = 1000


class Allowance(Struct, frozen=True):
    """``amount`` in any ``seconds``; counts each call's cost when ``weighed``, else calls."""

    amount: float
    seconds: float
    weighed: bool = False

    def of(self, cost: float) -> float:
        """What one call of ``cost`` uses."""
        return cost if self.weighed else 1.0


class Demand(Struct, frozen=True):
    """A connector that wants a call of ``cost`` every ``interval`` seconds; 0 is back to back."""

    interval: float
    cost: float = 1.0


def allowances_of(settings: LimitSettings) -> tuple[Allowance, ...]:
    """Every limit that is declared."""
    found = [Allowance(calls, seconds) for calls, seconds in settings.request_windows().values()]
    if settings.weight_per_minute is not None:
        found.append(Allowance(settings.weight_per_minute, 60, weighed=True))
    return tuple(found)


def stretch_factor(demands: Iterable[Demand], allowances: Iterable[Allowance]) -> float:
    """By how much the demands exceed the allowance they exceed most. All intervals must be above 0."""
    wanted = list(demands)
    return max(
        (
            sum(allowance.of(one.cost) * allowance.seconds / one.interval for one in wanted) / allowance.amount
            for allowance in allowances
        ),
        default=0.0,
    )


def stretched(demands: Mapping[str, Demand], allowances: tuple[Allowance, ...]) -> dict[str, float]:
    """The effective interval of each connector.

    Over an allowance all intervals grow by the same factor. A connector that polls back to back counts as one with the
    shortest interval of its companions, so that it cannot push them aside; what they leave unused is its own.
    """
    steady = {name: one for name, one in demands.items() if one.interval > 0}
    greedy = {name: one for name, one in demands.items() if one.interval <= 0}
    pace = min((one.interval for one in steady.values()), default=0.0)
    if not pace:
        return dict.fromkeys(greedy, _shared_interval(greedy.values(), {}.values(), allowances))
    nominal = {**steady, **{name: Demand(pace, one.cost) for name, one in greedy.items()}}
    factor = stretch_factor(nominal.values(), allowances)
    if factor > 1:
        return {name: one.interval * factor for name, one in nominal.items()}
    rest = _shared_interval(greedy.values(), steady.values(), allowances)
    return {name: one.interval for name, one in steady.items()} | dict.fromkeys(greedy, rest)


def _shared_interval(greedy: Iterable[Demand], steady: Iterable[Demand], allowances: tuple[Allowance, ...]) -> float:
    """The interval at which ``greedy`` use up exactly what ``steady`` leave of the tightest allowance."""
    eager, others = list(greedy), list(steady)
    longest = 0.0
    for allowance in allowances:
        used = sum(allowance.of(one.cost) * allowance.seconds / one.interval for one in others)
        wanted = sum(allowance.of(one.cost) for one in eager)
        if wanted:
            # Companions that fit exactly leave a rounding error at most, and the factor is then applied instead.
            left = max(allowance.amount - used, allowance.amount * 1e-9)
            longest = max(longest, wanted * allowance.seconds / left)
    return longest


class Window:
    """What was used of one allowance in the last ``allowance.seconds``, in at most a thousand slices.

    ``before`` is the window of an allowance that this one takes the place of: what was used of it counts.
    """

    def __init__(self, allowance: Allowance, before: Window | None = None) -> None:
        self.allowance = allowance
        # begun, last use, amount
        self._slices: deque[tuple[float, float, float]] = deque(() if before is None else before._slices)
        self._used: float = 0.0 if before is None else before._used

    def wait(self, cost: float, now: float) -> float:
        """How many seconds until a call of ``cost`` fits; 0 when it does now."""
        self._forget(now)
        # A call that costs more than everything could never be made: it takes an empty window instead.
        amount = min(self.allowance.of(cost), self.allowance.amount)
        excess = self._used + amount - self.allowance.amount
        for _, last, used in self._slices:
            if excess <= _ROUNDING_SECONDS:
                break
            excess -= used
            until = last + self.allowance.seconds
            if excess <= _ROUNDING_SECONDS:
                return max(until - now, 0.0)
        return 0.0

    def used(self, now: float) -> float:
        """How much of the allowance is used."""
        self._forget(now)
        return self._used

    def use(self, cost: float, now: float) -> None:
        """A call of ``cost`` is made now."""
        amount = self.allowance.of(cost)
        self._used += amount
        if self._slices and now - self._slices[-1][0] < self.allowance.seconds / _SLICES:
            begun, _, before = self._slices.pop()
            self._slices.append((begun, now, before + amount))
        else:
            self._slices.append((now, now, amount))

    def _forget(self, now: float) -> None:
        while self._slices and self._slices[0][1] + self.allowance.seconds <= now + _ROUNDING_SECONDS:
            self._used -= self._slices.popleft()[2]
        if not self._slices:
            self._used = 0.0  # so that rounding does not add up over days
