"""Metrics as text, a piece at a time, so that whoever writes them can give others a turn in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

# So many samples take two milliseconds.
PIECE_SAMPLES = 400

_END = b"# EOF\n"


def written(families: Iterable[Metric], *, openmetrics: bool) -> Iterator[bytes]:
    """The pieces of the whole text; a family may come in several parts, one behind the other."""
    write = generate_openmetrics if openmetrics else generate_latest
    head = ""
    for family in families:
        for start in range(0, max(len(family.samples), 1), PIECE_SAMPLES):
            text = write(_Part(family, family.samples[start : start + PIECE_SAMPLES])).removesuffix(_END)
            yield _without_head(text) if family.name == head else text
            head = family.name
    if openmetrics:
        yield _END


class _Part(Collector):
    """A family with some of its samples, as the library wants to be given what it writes."""

    def __init__(self, family: Metric, samples: list[Sample]) -> None:
        self._part = Metric(family.name, family.documentation, family.type, family.unit)
        self._part.samples = samples

    def collect(self) -> Iterator[Metric]:
        """The one."""
        yield self._part


def _without_head(text: bytes) -> bytes:
    """Help and type stand above the first piece only."""
    while text.startswith(b"# "):
        text = text[text.index(b"\n") + 1 :]
    return text
