"""How long things take, as histograms: the one thing that is not read from statistics, but told when it happens.

Observing costs well under a microsecond, and each event is observed twice: when it is committed, and when it has left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import trio
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.metrics_core import Metric

from ..messages import Event, Extracted, Transformed

# Each has room for what is normal here and for what is not; more buckets would cost a series each.
_LAG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_ANSWER = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TRANSFORM = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_COMMIT = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HAND_OUT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)
_LOOP = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

LOOK_SECONDS = 0.1
# Samples of so many connectors are made at once.
_PART = 30

_ANSWER_NAME = "etl_connector_poll_latency_seconds"
_ANSWER_WORDS = "From asking the provider to the end of its answer, of polls that brought one."


class Timings:
    """The histograms, in a registry of our own; those of connectors beside it, since it collects all at once."""

    def __init__(self) -> None:
        # A series more for each histogram, which says when it was made: that is when the process was.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives it no types
        self.registry = CollectorRegistry()
        self._answers: dict[str, Histogram] = {}
        self._transform = self._histogram(
            "etl_transform_duration_seconds", "How long mapping an answer took, with the turns of others.", _TRANSFORM
        )
        self._commit = self._histogram(
            "etl_commit_duration_seconds", "How long a commit took that succeeded, the wait for a connection included.",
            _COMMIT,
        )  # fmt: skip
        self._commit_lag = self._histogram(
            "etl_commit_lag_seconds", "From the last byte of a provider's answer or frame to its commit.", _LAG
        )
        self._hand_out_lag = self._histogram(
            "etl_handout_lag_seconds",
            "From the commit of an event until it was written to the sockets that take it, and waits for the others.",
            _HAND_OUT,
        )
        self._loop_lag = self._histogram(
            "etl_event_loop_lag_seconds", "How late the event loop gave a turn to a task that asks for one.", _LOOP
        )

    def answered(self, connector_id: str, seconds: float) -> None:
        """A poll brought an answer."""
        histogram = self._answers.get(connector_id)
        if histogram is None:
            histogram = Histogram(_ANSWER_NAME, _ANSWER_WORDS, registry=None, buckets=_ANSWER)
            self._answers[connector_id] = histogram
        histogram.observe(seconds)

    def transformed(self, extracted: Extracted, seconds: float) -> None:
        """An extraction was mapped."""
        self._transform.observe(seconds)

    def committed(self, parts: Sequence[Transformed], seconds: float) -> None:
        """A commit that took so long is done just now."""
        self._commit.observe(seconds)
        now, observe = datetime.now(UTC), self._commit_lag.observe
        for part in parts:
            # What we or a client said was received by nobody.
            if part.kind in {"response", "frame"}:
                observe(max((now - part.received_at).total_seconds(), 0.0))

    def handed_out(self, events: Sequence[Event], seconds: float) -> None:
        """These events left so long after their commit."""
        for _ in events:
            self._hand_out_lag.observe(seconds)

    def late(self, seconds: float) -> None:
        """A turn of the event loop came so late."""
        self._loop_lag.observe(seconds)

    def forget(self, connector_id: str) -> None:
        """The connector is gone, and its series with it."""
        self._answers.pop(connector_id, None)

    def families(self) -> Iterator[Metric]:
        """What was observed by now; that of connectors in several parts."""
        yield from self.registry.collect()
        answers = list(self._answers.items())
        for start in range(0, max(len(answers), 1), _PART):
            family = Metric(_ANSWER_NAME, _ANSWER_WORDS, "histogram")
            for connector_id, histogram in answers[start : start + _PART]:
                for sample in (sample for one in histogram.collect() for sample in one.samples):
                    family.add_sample(sample.name, {"connector": connector_id, **sample.labels}, sample.value)
            yield family

    def _histogram(self, name: str, words: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(name, words, registry=self.registry, buckets=buckets)


async def watch_loop(late: Callable[[float], None]) -> None:
    """Until cancelled: ask for a turn every tenth of a second, and tell how late it came."""
    while True:
        due = trio.current_time() + LOOK_SECONDS
        await trio.sleep_until(due)
        late(trio.current_time() - due)
