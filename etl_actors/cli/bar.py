"""A progress bar for a transfer: one line on a terminal, drawn a few times a second."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_BAR_WIDTH = 24
_SECONDS_BETWEEN = 0.1


def count_of(number: float, unit: str) -> str:
    """``1,200 rows``; bytes in the unit that suits them."""
    if unit != "bytes":
        return f"{number:,.0f} {unit}"
    for name in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {name}" if name == "bytes" else f"{number:.1f} {name}"
        number /= 1000
    return f"{number:.2f} GB"


class Bar:
    """How far a transfer is; ``total`` is None when nobody knows."""

    def __init__(self, label: str, *, unit: str, total: int | None) -> None:
        self._label, self._unit, self._total = label, unit, total
        self._done = 0
        self._began = time.monotonic()
        self._drawn = 0.0

    def advance(self, amount: int) -> None:
        """So much more is done."""
        self._done += amount
        now = time.monotonic()
        if now - self._drawn >= _SECONDS_BETWEEN:
            self._drawn = now
            line = self.line(now - self._began)[: shutil.get_terminal_size().columns - 1]
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()

    def line(self, seconds: float) -> str:
        """What is drawn when so many seconds have passed."""
        done = count_of(self._done, self._unit)
        rate = count_of(self._done / max(seconds, 0.001), self._unit)
        if not self._total:
            return f"{self._label}  {done}  {rate}/s"
        # More may arrive than was announced: rows are added while others leave.
        share = min(1.0, self._done / self._total)
        filled = round(share * _BAR_WIDTH)
        bar = "█" * filled + "░" * (_BAR_WIDTH - filled)
        of = done if self._unit == "bytes" else f"{self._done:,}"
        return f"{self._label}  {bar} {share:4.0%}  {of} of {count_of(self._total, self._unit)}  {rate}/s"


@contextmanager
def shown_bar(label: str, *, unit: str, total: int | None, shown: bool) -> Iterator[Callable[[int], None]]:
    """What is called with each amount done; it draws on stderr when ``shown``, which is for terminals only.

    The line is gone when the block ends, however it ends.
    """
    if not shown:
        yield lambda amount: None
        return
    try:
        yield Bar(label, unit=unit, total=total).advance
    finally:
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
