"""Metrics: what ``GET /metrics`` tells Prometheus.

Nothing is counted here that an actor counts already. When somebody scrapes, :class:`~.readings.Sources` asks every room
for its statistics, and text is made of them a piece at a time (:mod:`.exposition`, :mod:`.writing`), so that the loop
is never held. No scrape asks the database. Only how long things take cannot be read afterwards:
:class:`~.timings.Timings` is told that while it happens.

One file for each part of the house says which metrics it has: :mod:`.connectors`, :mod:`.flow`, :mod:`.storage`,
:mod:`.limits`; :mod:`.families` is how they are written down. Names begin with ``etl_`` and carry their unit; the only
labels whose number depends on anything are ``connector``, ``actor``, ``provider`` and ``source``, which are as many as
the configuration has.
"""

from .exposition import Exposition
from .readings import Sources
from .timings import Timings, watch_loop

__all__ = ["Exposition", "Sources", "Timings", "watch_loop"]
