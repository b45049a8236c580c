"""What is missing in a stream is found by its numbers, and nothing else is taken for a gap."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import ConfigError
from etl_actors.messages import Gap
from etl_actors.settings import ConnectorSettings, Sequence
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.sequence import REMEMBERED_KEYS, SequenceCheck, judge
from etl_actors.transforms.symbols import SymbolTable

DEPTH = Sequence(key="data.s", first="data.U", last="data.u")
TRADES = Sequence(key="s", first="t")


def check_of(sequence: Sequence) -> SequenceCheck:
    """The check of a connector with this sequence."""
    connector = ConnectorSettings(connector_id="one", url="wss://x", kind="websocket", sequence=sequence)
    reading = Mapping(connector, SymbolTable()).sequence
    assert reading is not None
    return SequenceCheck(reading, max_keys=sequence.max_keys, per_connection=sequence.per_connection)


def depth(first: Any, last: Any, key: Any = "BTCUSDT") -> Any:
    """A frame of a combined stream."""
    return {"stream": "x", "data": {"s": key, "U": first, "u": last}}


def test_a_gap_names_key_and_what_is_missing() -> None:
    """Per key: the numbers between the last one seen and the first of the frame."""
    check = check_of(DEPTH)
    frames = [depth(1, 3), depth(4, 4), depth(90, 95, "ETHUSDT"), depth(7, 9), depth(10, 10), depth(97, 97, "ETHUSDT")]
    assert [check.see(frame) for frame in frames] == [
        *[None] * 3,
        Gap(key="BTCUSDT", first=5, last=6),
        None,
        Gap(key="ETHUSDT", first=96, last=96),
    ]
    assert (check.statistics().gaps, check.statistics().missing) == (2, 3)


def test_repeated_and_overlapping_frames_are_no_gaps() -> None:
    """A second connection repeats what was seen, in part too; what comes next is compared with the farthest."""
    check = check_of(DEPTH)
    frames = [depth(10, 20), depth(10, 20), depth(12, 15), depth(18, 22), depth(23, 23), depth(1, 2), depth(24, 24)]
    assert [check.see(frame) for frame in frames] == [None] * 7
    statistics = check.statistics()
    assert (statistics.repeated, statistics.overlapping, statistics.gaps) == (3, 1, 0)


def test_numbers_are_exact_in_64_bits_however_they_are_written() -> None:
    """Texts and numbers; beyond 2^53, where a float would be one number for many, and unsigned ones."""
    check = check_of(TRADES)
    most = 2**64 - 1
    assert check.see({"s": "A", "t": most - 3}) is None
    assert check.see({"s": "A", "t": str(most - 1)}) == Gap(key="A", first=most - 2, last=most - 2)
    assert check.see({"s": "A", "t": most}) is None
    assert check.see({"s": "A", "t": most + 1}) is None
    assert check.statistics().unreadable == 1


@pytest.mark.parametrize(
    "frame",
    [{"result": None, "id": 1}, [{"s": "A", "t": 1}], "pong", None, {"s": "A"}, {"t": 5}, {"s": None, "t": 5}],
)
def test_frames_without_a_number_are_left_alone(frame: Any) -> None:
    """Acknowledgements, heartbeats and other types are of no sequence."""
    check = check_of(TRADES)
    assert check.see(frame) is None
    assert (check.statistics().keys, check.statistics().unreadable) == (0, 0)


@pytest.mark.parametrize("number", [True, 1.5, "x", "", [1], {"a": 1}, "1" * 30])
def test_numbers_that_are_none_are_told_and_cost_nothing_else(number: Any) -> None:
    """Such a frame is counted, and the sequence goes on as if it had not come."""
    check = check_of(TRADES)
    check.see({"s": "A", "t": 1})
    assert check.see({"s": "A", "t": number}) is None
    assert (check.statistics().unreadable, "sequence.first" in str(check.statistics().trouble)) == (1, True)
    assert check.see({"s": "A", "t": 2}) is None


def test_keys_are_bounded() -> None:
    """Beyond max_keys the key that was not heard of for longest is forgotten; it begins anew when it comes again."""
    check = check_of(Sequence(key="s", first="t", max_keys=2))
    for key, number in (("A", 1), ("B", 1), ("A", 2), ("C", 1)):
        check.see({"s": key, "t": number})
    assert check.see({"s": "A", "t": 9}) == Gap(key="A", first=3, last=8)
    assert check.see({"s": "B", "t": 9}) is None
    assert (check.statistics().keys, check.statistics().forgotten_keys) == (2, 2)
    assert check.see({"s": "x" * 300, "t": 1}) is None
    assert check.statistics().unreadable == 1


def test_without_a_key_all_frames_are_of_one_sequence() -> None:
    """Its key is the empty text."""
    check = check_of(Sequence(first="sequence_num"))
    assert check.see({"sequence_num": 0}) is None
    assert check.see({"sequence_num": 2}) == Gap(key="", first=1, last=1)


def test_a_provider_that_counts_per_connection_begins_anew() -> None:
    """Each socket has numbers of its own; the counts are those of the connector."""
    check = check_of(Sequence(first="n", per_connection=True))
    one, two = check.for_connection(), check.for_connection()
    assert [one.see({"n": 5}), two.see({"n": 0}), two.see({"n": 1}), one.see({"n": 6})] == [None] * 4
    assert two.see({"n": 3}) == Gap(key="", first=2, last=2)
    assert (check.statistics().gaps, check.state()) == (1, None)
    same = check_of(DEPTH)
    assert same.for_connection() is same


def test_what_was_remembered_is_continued() -> None:
    """The first frame after a restart tells what was missed; nonsense in the cursor is none of ours."""
    before, after = check_of(TRADES), check_of(TRADES)
    before.see({"s": "A", "t": 2**63})
    after.restore(before.state())
    assert after.see({"s": "A", "t": 2**63 + 2}) == Gap(key="A", first=2**63 + 1, last=2**63 + 1)
    for nonsense in (None, "x", 7, [1], {"A": "x", "B": True, "C": None}):
        check_of(TRADES).restore(nonsense)
    for number in range(REMEMBERED_KEYS):
        before.see({"s": str(number), "t": 1})
    assert before.state() is None


def test_wrong_expressions_are_told_with_their_place() -> None:
    """As those of items are."""
    with pytest.raises(ConfigError) as refused:
        check_of(Sequence(key="a..b", first="nonsense(t)"))
    assert [path for _, path, _ in refused.value.mistakes] == ["one.sequence.key", "one.sequence.first"]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=40))
def test_gaps_are_exactly_what_no_frame_brought_in_time(frames: list[tuple[int, int]]) -> None:
    """Against a set of numbers: after each frame, everything up to the farthest is seen or was reported, never both
    at the moment of the report, and nothing is reported twice.
    """
    check, seen, reported = check_of(TRADES_RANGE), set[int](), set[int]()
    for first, more in frames:
        gap = check.see({"s": "A", "a": first, "b": first + more})
        if gap is not None:
            assert gap.first is not None
            assert gap.last is not None
            missing = set(range(gap.first, gap.last + 1))
            assert missing
            assert not missing & seen
            assert not missing & reported
            reported |= missing
        start = min(seen) if seen else first
        seen |= set(range(max(first, start), first + more + 1))
        assert set(range(start, max(seen) + 1)) == {n for n in seen | reported if n >= start}


TRADES_RANGE = Sequence(key="s", first="a", last="b")


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 10))
def test_verdicts_say_what_they_say(seen: int, first: int, more: int) -> None:
    """By the definition of each, over sets of numbers."""
    known, frame = set(range(seen + 1)), set(range(first, first + more + 1))
    verdict = judge(seen, first, first + more)
    assert (verdict == "repeated") == (frame <= known)
    assert (verdict == "overlapping") == (bool(frame & known) and not frame <= known)
    assert (verdict == "next") == (first == seen + 1)
    assert (verdict == "gap") == (first > seen + 1)
