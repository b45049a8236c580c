"""A draft: as much of a document as can be read, for whoever looks further than the schema before telling mistakes.

Where something is needed and wrong a stand-in takes its place, or the table that cannot be without it goes. So urls,
limits and expressions of a connector are looked at although its id is none, and a person mends everything in one go.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from .decoding import Mistake, convert, first_mistake
from .interpolation import interpolate
from .places import cut_out, locate, places_above

T = TypeVar("T")

_MOST_ROUNDS = 1000
_STAND_INS = {"connector_id": "stand-in-{}", "url": "https://stand-in.invalid/"}


def decode(
    document: Any, kind: type[T], file: str, environment: Mapping[str, str], mistakes: list[Mistake]
) -> T | None:
    """``document`` as a draft of a ``kind``, its references read from ``environment``; see :func:`draft`."""
    unresolved: list[str] = []

    def report(path: str, reason: str) -> None:
        mistakes.append((file, path, reason))
        unresolved.append(path)

    resolved = interpolate(document, environment, report)
    for path in unresolved:
        cut_out(resolved, path)
    return draft(resolved, kind, file, mistakes, cut=set(unresolved))


def draft(resolved: Any, kind: type[T], file: str, mistakes: list[Mistake], *, cut: Collection[str] = ()) -> T | None:
    """As :func:`convert`, and with stand-ins where something needed is wrong: only good for finding more mistakes.

    ``cut`` are paths that were told and cut out before. None where nothing at all can be made of it.
    """
    done = set(cut)
    for _ in range(_MOST_ROUNDS):
        before = len(mistakes)
        made = convert(resolved, kind, file, mistakes, cut=done)
        if made is not None:
            return made
        done.update(path for _, path, _ in mistakes[before:])
        gap = first_mistake(resolved, kind)
        if not gap or not _fill(resolved, gap, len(mistakes)):
            return None
    return None


def _fill(resolved: Any, path: str, number: int) -> bool:
    """A stand-in at ``path``, or nothing of the table that cannot be without it; False where that is everything."""
    holder, _, key = path.rpartition(".")
    if key in _STAND_INS:
        parent, place = locate(resolved, holder) if holder else ({"": resolved}, "")
        if parent is not None and isinstance(parent[place], dict):
            parent[place][key] = _STAND_INS[key].format(number)
            return True
    return any(cut_out(resolved, above) for above in places_above(path))
