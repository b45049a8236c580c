"""How a metric is written down: its name, what it is, and a value for each set of labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

Rows = Iterable[tuple[tuple[str, ...], float]]


def gauge(name: str, words: str, value: float) -> Metric:
    """Something that goes up and down."""
    return GaugeMetricFamily(name, words, value=value)


def counter(name: str, words: str, value: float) -> Metric:
    """Something that only grows, since the start."""
    return CounterMetricFamily(name, words, value=value)


def gauges(name: str, words: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    """A gauge for each set of labels."""
    family = GaugeMetricFamily(name, words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def counters(name: str, words: str, labels: tuple[str, ...], rows: Rows) -> Metric:
    """A counter for each set of labels."""
    family = CounterMetricFamily(name, words, labels=labels)
    for values, value in rows:
        family.add_metric(values, value)
    return family


def states(name: str, words: str, label: str, all_states: Iterable[str], found: Iterable[tuple[str, str]]) -> Metric:
    """One gauge for each state that ``(name, state)`` may be in: 1 for the one it is in, 0 for the others."""
    family = GaugeMetricFamily(name, words, labels=(label, "state"))
    each = tuple(all_states)
    for one, is_in in found:
        for state in each:
            family.add_metric((one, state), float(state == is_in))
    return family


def info(name: str, words: str, facts: Mapping[str, str]) -> Metric:
    """Facts that are texts: the labels of a 1."""
    return InfoMetricFamily(name, words, value=dict(facts))
