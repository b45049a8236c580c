"""Sees what a stream leaves out: per key, each frame must begin right behind the last number that was seen. Pure.

How a reader of frames uses it::

    check = factory.sequence_check(mapping)      # None when the connector has no `sequence`
    check.restore(checkpoint.cursor["sequence"]) # once, after the claim, when something was remembered
    mine = check.for_connection()                # once for each socket
    gap = mine.see(document)                     # for each frame, in their order; a Gap when something is missing
    remembered = check.state()                   # what may go into Checkpoint.cursor with the frame

A frame that was seen already is *repeated*, one that was seen in part *overlaps*: neither is a gap, and both come with
every planned reconnect. The first frame of a key is compared with nothing.

**What is remembered across a restart.** The check lives as long as its connector, so reconnects and crashes of its
actor forget nothing. With :meth:`SequenceCheck.state` in the cursor, which is committed with the frames it counts, the
first frames after a restart of the service tell what was missed meanwhile. It is exact or it is nothing: one that is
put into the cursor now and then only would report numbers as missing that were stored. For many keys it would be
written with every batch, and there it is None: those are remembered in memory only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from ..errors import PayloadRefused
from ..messages import Gap
from .sequence_reading import Step

REMEMBERED_KEYS = 256

Verdict = Literal["first", "next", "repeated", "overlapping", "gap"]


class Reading(Protocol):
    """Reads the numbers of a frame; None when it has none, PayloadRefused when they cannot be."""

    def step(self, document: Any) -> Step | None: ...


class SequenceStatistics(Struct, frozen=True, kw_only=True):
    """Counts since the start. ``unreadable`` frames have numbers that are none; ``trouble`` says why the last was."""

    keys: int
    gaps: int
    missing: int
    repeated: int
    overlapping: int
    forgotten_keys: int
    unreadable: int
    trouble: str | None


def judge(seen: int | None, first: int, last: int) -> Verdict:
    """What ``first`` to ``last`` is to somebody who has ``seen`` everything up to that number."""
    if seen is None:
        return "first"
    if last <= seen:
        return "repeated"
    if first > seen + 1:
        return "gap"
    return "next" if first == seen + 1 else "overlapping"


class SequenceCheck:
    """The numbers of one connector. Of more than ``max_keys`` keys, those not heard of for longest are forgotten."""

    def __init__(self, reading: Reading, *, max_keys: int = 1000, per_connection: bool = False) -> None:
        self._reading = reading
        self._max_keys = max_keys
        self._per_connection = per_connection
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._counts = dict.fromkeys(("gap", "repeated", "overlapping", "missing", "forgotten", "unreadable"), 0)
        self._trouble: str | None = None

    def see(self, document: Any) -> Gap | None:
        """What is missing before this frame; None when nothing is, or when the frame has no number."""
        try:
            step = self._reading.step(document)
        except PayloadRefused as error:
            self._counts["unreadable"] += 1
            self._trouble = str(error)
            return None
        return None if step is None else self._compare(step)

    def for_connection(self) -> SequenceCheck:
        """The check for the frames of a new socket: this one, or one that begins anew where the provider does."""
        if not self._per_connection:
            return self
        fresh = SequenceCheck(self._reading, max_keys=self._max_keys, per_connection=True)
        fresh._counts = self._counts
        return fresh

    def state(self) -> dict[str, int] | None:
        """The last number of each key, for the cursor; None where that is not to be remembered."""
        if self._per_connection or len(self._seen) > REMEMBERED_KEYS:
            return None
        return dict(self._seen)

    def restore(self, state: Any) -> None:
        """Continue behind what was remembered; what is no such state, or known better already, is left alone."""
        if self._per_connection or not isinstance(state, Mapping):
            return
        for key, last in state.items():
            if isinstance(key, str) and isinstance(last, int) and not isinstance(last, bool):
                self._seen.setdefault(key, last)

    def statistics(self) -> SequenceStatistics:
        """A snapshot."""
        counts = self._counts
        return SequenceStatistics(
            keys=len(self._seen),
            gaps=counts["gap"],
            missing=counts["missing"],
            repeated=counts["repeated"],
            overlapping=counts["overlapping"],
            forgotten_keys=counts["forgotten"],
            unreadable=counts["unreadable"],
            trouble=self._trouble,
        )

    def _compare(self, step: Step) -> Gap | None:
        seen = self._seen.get(step.key)
        verdict = judge(seen, step.first, step.last)
        if verdict in self._counts:
            self._counts[verdict] += 1
        if verdict != "repeated":
            self._seen[step.key] = step.last
        self._seen.move_to_end(step.key)
        if len(self._seen) > self._max_keys:
            self._seen.popitem(last=False)
            self._counts["forgotten"] += 1
        if verdict != "gap" or seen is None:
            return None
        self._counts["missing"] += step.first - 1 - seen
        return Gap(key=step.key, first=seen + 1, last=step.first - 1)
