"""What the checkpoint remembers of a list, and which of two cursors lies farther on."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.actors.connector_place import Place, farther, read_place, stored_place, without_page


@pytest.mark.parametrize(
    "place",
    [
        Place(),
        Place(cursor="5"),
        Place(cursor="5", seen="9", page=3, number=2),
        Place(page="https://a/?p=2", number=1),
        Place(cursor="5", page="token"),
    ],
)
def test_place_comes_back_as_it_was(place: Place) -> None:
    """Between lists it is the cursor alone."""
    assert read_place(stored_place(place)) == place
    assert place.page is not None or stored_place(place) == place.cursor


@pytest.mark.parametrize("stored", [None, 5, [1], {"page": [1]}, {"cursor": 5}, True])
def test_what_nobody_wrote_is_the_beginning(stored: Any) -> None:
    """A checkpoint is read, whatever is in it."""
    assert read_place(stored) == Place()


def test_cursor_survives_where_the_page_does_not() -> None:
    """Other pages: the list is begun anew, from the same cursor."""
    assert without_page(stored_place(Place(cursor="5", seen="9", page=3))) == "5"
    assert without_page("5") == "5"
    assert without_page(None) is None
    assert without_page({"of": "somebody"}) == {"of": "somebody"}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, None, None),
        (None, "1", "1"),
        ("1", None, "1"),
        ("9", "10", "10"),
        ("10", "9", "10"),
        ("-2", "-10", "-2"),
        ("1.5", "1.25", "1.5"),
        ("12345678901234567890123", "12345678901234567890122", "12345678901234567890123"),
        ("2025-12-08T16:00:00Z", "2025-12-08T15:00:00Z", "2025-12-08T16:00:00Z"),
        ("2025-12-08T16:00:00.5Z", "2025-12-08T16:00:00Z", "2025-12-08T16:00:00.5Z"),
        ("2025-12-08T16:00:00Z", "2025-12-08T17:30:00+02:00", "2025-12-08T16:00:00Z"),
        ("2025-12-09", "2025-12-08", "2025-12-09"),
        ("2025-12-09T00:00:00Z", "2025-12-08", "2025-12-08"),
        ("zzz", "aaa", "aaa"),
        ("5", "aaa", "aaa"),
    ],
)
def test_numbers_and_times_are_compared_and_of_others_the_later_counts(
    one: str | None, other: str | None, expected: str | None
) -> None:
    """A list may run newest first; tokens mean something to the provider only."""
    assert farther(one, other) == expected
