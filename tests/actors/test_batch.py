"""A batch leaves by size, by age, or at the end."""

from __future__ import annotations

import math

from etl_actors.actors.batch import MOST_BYTES, BatchBuilder

from .parts import transformed


def test_a_batch_leaves_when_it_is_full() -> None:
    """The part that fills it is in it."""
    builder = BatchBuilder(max_rows=6, max_age_seconds=1)
    first, second = transformed(items=2), transformed(items=2)
    assert builder.add(first, now=0) is None
    batch = builder.add(second, now=0.5)
    assert batch is not None
    assert (batch.parts, batch.left_by, batch.rows) == ((first, second), "size", 6)


def test_the_first_part_starts_the_age() -> None:
    """Later parts do not prolong it, and an empty builder has no deadline."""
    builder = BatchBuilder(max_rows=100, max_age_seconds=1)
    assert builder.deadline == math.inf
    builder.add(transformed(), now=10)
    builder.add(transformed(), now=10.9)
    assert builder.deadline == 11
    batch = builder.leave("age")
    assert batch is not None
    assert batch.left_by == "age"
    assert builder.deadline == math.inf


def test_nothing_leaves_an_empty_builder() -> None:
    """No batch without parts."""
    assert BatchBuilder(max_rows=1, max_age_seconds=1).leave("end") is None


def test_a_part_larger_than_a_batch_leaves_at_once() -> None:
    """It is never split: it is one extraction."""
    batch = BatchBuilder(max_rows=2, max_age_seconds=1).add(transformed(items=10), now=0)
    assert batch is not None
    assert len(batch.parts) == 1


def test_a_batch_of_large_answers_leaves_early() -> None:
    """By their bytes, however few rows they are."""
    builder = BatchBuilder(max_rows=100, max_age_seconds=1)
    large = transformed(items=1, body=b"1" * (MOST_BYTES // 2))
    assert builder.add(large, now=0) is None
    batch = builder.add(large, now=0)
    assert batch is not None
    assert (len(batch.parts), batch.left_by) == (2, "size")
    assert builder.add(large, now=0) is None


def test_every_batch_has_an_id_of_its_own() -> None:
    """The id is what makes storing it twice impossible."""
    builder = BatchBuilder(max_rows=1, max_age_seconds=1)
    first, second = builder.add(transformed(), 0), builder.add(transformed(), 0)
    assert first is not None
    assert second is not None
    assert first.batch_id != second.batch_id
