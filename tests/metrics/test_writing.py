"""Text in pieces is the text."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from etl_actors.metrics import Timings
from etl_actors.metrics.families import counters, gauge, gauges, info
from etl_actors.metrics.writing import PIECE_SAMPLES, written


class Families:
    """Everything that can be written; one of each kind, and more than fits into a piece."""

    def collect(self) -> Iterator[Metric]:
        """They."""
        rows = [((f'a "{number}"\n',), number / 3) for number in range(3 * PIECE_SAMPLES + 1)]
        yield info("etl_facts", "What it is.", {"version": "1"})
        yield gauge("etl_one", "One\nof them.", 1)
        yield gauges("etl_none", "None.", ("x",), [])
        yield counters("etl_many", "Many.", ("x",), rows)
        yield gauges("etl_full", "As many as fit.", ("x",), rows[:PIECE_SAMPLES])
        yield from Timings().registry.collect()


@pytest.mark.parametrize("openmetrics", [False, True])
def test_pieces_are_what_the_library_writes_at_once(openmetrics: bool) -> None:
    """Help and type once, the end once; and no piece is much larger than others."""
    registry = CollectorRegistry()
    registry.register(Families())
    whole = (generate_openmetrics if openmetrics else generate_latest)(registry)
    pieces = list(written(Families().collect(), openmetrics=openmetrics))
    assert b"".join(pieces) == whole
    assert max(piece.count(b"\n") for piece in pieces) <= PIECE_SAMPLES + 3


def test_a_family_that_comes_in_parts_is_one() -> None:
    """As that of all connectors does: its head stands above the first part only."""
    timings = Timings()
    for number in range(100):
        timings.answered(f"c{number}", number / 10)
    text = b"".join(written(timings.families(), openmetrics=True)).decode()
    assert text.count("# TYPE etl_connector_poll_latency_seconds histogram") == 1
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counts = [one for one in families["etl_connector_poll_latency_seconds"].samples if one.name.endswith("_count")]
    assert {one.labels["connector"]: one.value for one in counts} == {f"c{number}": 1 for number in range(100)}
