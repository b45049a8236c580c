"""How often a fault is repeated, and what the suite measured meanwhile.

The default run repeats each fault a few times; ``tox run -e faults`` (``ETL_FAULTS=full``) as often as it takes to
believe it.
"""

from __future__ import annotations

import os

FULL = os.environ.get("ETL_FAULTS") == "full"

_figures: list[str] = []


def rounds(short: int, *, full: int) -> int:
    """How many times, in this run."""
    return full if FULL else short


def show(figure: str) -> None:
    """Have ``figure``, one line, printed when the suite has run."""
    _figures.append(figure)


def shown() -> list[str]:
    """Every figure so far."""
    return list(_figures)
