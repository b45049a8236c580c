"""Who wants what is found in the index exactly as if everybody had been asked."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from etl_actors.actors.fan_out import FanOut
from etl_actors.actors.fan_out_parcel import Parcels
from etl_actors.filtering import Filter

from .events import event, items_of, prices

CONNECTORS, SYMBOLS = ("one", "two"), ("BTC", "ETH", "SOL")


def some(values: tuple[str, ...]) -> st.SearchStrategy[frozenset[str] | None]:
    """No narrowing, or some of these."""
    return st.none() | st.frozensets(st.sampled_from(values), min_size=1)


FILTERS = st.builds(
    Filter, connectors=some(CONNECTORS), symbols=some(SYMBOLS), types=some(("price_update", "connector_status"))
)


@given(
    st.lists(FILTERS, max_size=8),
    st.sets(st.integers(min_value=0, max_value=7)),
    st.sampled_from(CONNECTORS),
    st.lists(st.sampled_from(SYMBOLS), unique=True),
)
def test_the_index_finds_who_wants_an_event_and_what_of_it(
    filters: list[Filter], gone: set[int], connector: str, symbols: list[str]
) -> None:
    """Whoever left is not found; each of the others gets the items it asked for, in their order, offset and id kept."""
    index: FanOut[int] = FanOut()
    for member, wanted in enumerate(filters):
        index.add(wanted, member)
    for member in gone & set(range(len(filters))):
        index.remove(filters[member], member)
    made = prices(7, dict.fromkeys(symbols, ""), connector=connector)
    found: dict[int, Any] = {}
    for parcel, members in index.matches(made, Parcels(made)):
        for member in members:
            assert member not in found
            found[member] = json.loads(parcel.body)
    whole = json.loads(made.encoded)
    for member, wanted in enumerate(filters):
        expected = [one for one in symbols if wanted.symbols is None or one in wanted.symbols]
        wants = wanted.passes(connector, made.type) and (bool(expected) or wanted.symbols is None)
        assert (member in found) == (wants and member not in gone)
        if member in found and symbols:
            assert items_of(found[member]) == expected
            assert found[member] | {"data": None} == whole | {"data": None}


def test_who_wants_the_same_shares_the_same_bytes() -> None:
    """An event is trimmed once for everybody with the same symbols, and not at all where nothing is left out."""
    index: FanOut[str] = FanOut()
    for member, symbols in (("a", {"BTC"}), ("b", {"BTC", "NONE"}), ("c", {"BTC", "ETH", "SOL"}), ("d", None)):
        index.add(Filter(symbols=None if symbols is None else frozenset(symbols)), member)
    made = prices(1, dict.fromkeys(("BTC", "ETH"), ""))
    found = {member: parcel.body for parcel, members in index.matches(made, Parcels(made)) for member in members}
    assert found["a"] is found["b"]
    assert found["c"] is found["d"] is made.encoded


def test_nothing_is_left_of_whoever_left() -> None:
    """The index does not grow with those who come and go."""
    index: FanOut[int] = FanOut()
    wanted = Filter(connectors=frozenset(CONNECTORS), symbols=frozenset(SYMBOLS))
    for member in range(10):
        index.add(wanted, member)
        index.add(Filter(), member)
    for member in range(10):
        index.remove(wanted, member)
        index.remove(Filter(), member)
        index.remove(Filter(), member)
    assert (index._groups, index._shelves) == ({}, {})
    assert not list(index.matches(event(1), Parcels(event(1))))
