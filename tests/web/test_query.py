"""Query strings become pages, and every wrong value is named."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from etl_actors.paging import Page
from etl_actors.web.problems import Problem
from etl_actors.web.query import next_link, read_page


def test_nothing_asked_means_the_newest_hundred() -> None:
    """The original's defaults."""
    assert read_page({}) == Page(limit=100, offset=0, newest_first=True)


def test_every_filter_is_read() -> None:
    """Names as in the contract; times in any zone become UTC."""
    page = read_page(
        {
            "connector_id": "binance_24hr",
            "symbol": "btc",
            "exchange": "binance",
            "since": "2025-12-08T16:00:00Z",
            "until": "2025-12-08T18:00:00+01:00",
            "order": "timestamp",
            "limit": "5",
            "offset": "10",
            "count": "exact",
        }
    )
    assert page == Page(
        connector_id="binance_24hr",
        symbol="btc",
        exchange="binance",
        since=datetime(2025, 12, 8, 16, tzinfo=UTC),
        until=datetime(2025, 12, 8, 17, tzinfo=UTC),
        newest_first=False,
        limit=5,
        offset=10,
        exact_total=True,
    )


@pytest.mark.parametrize("order", ["timestamp DESC", "-timestamp", "timestamp  desc", "Timestamp Desc"])
def test_the_orders_of_the_original_work_too(order: str) -> None:
    """``timestamp DESC`` as well as ``-timestamp``."""
    assert read_page({"order": order}).newest_first is True


def test_a_plus_that_became_a_space_is_understood() -> None:
    """Clients forget to escape it."""
    assert read_page({"since": "2025-12-08T16:00:00 01:00"}).since == datetime(2025, 12, 8, 15, tzinfo=UTC)


def test_a_time_at_the_end_of_the_calendar_is_one() -> None:
    """Its zone would lead beyond it."""
    assert read_page({"until": "0001-01-01T00:00:00+14:00"}).until == datetime.min.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "10001"),
        ("limit", "ten"),
        ("limit", "1e3"),
        ("limit", "٣"),
        ("offset", "-1"),
        ("offset", "9" * 40),
        ("since", "yesterday"),
        ("since", "2025-12-08T16:00:00"),
        ("until", ""),
        ("limit", ""),
        ("order", ""),
        ("count", ""),
        ("after", ""),
        ("after", "1" * 18 + "-1"),
        ("after", "1-" + "1" * 19),
        ("after", "١-١"),
        ("after", "1-1\n"),
        ("order", "price"),
        ("count", "about"),
        ("symbol", "B\0TC"),
        ("after", "not-a-place"),
        ("after", "AAAA"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(name: str, value: str) -> None:
    """422, with the place and the mend."""
    with pytest.raises(Problem) as caught:
        read_page({name: value})
    assert caught.value.status == 422
    assert caught.value.errors is not None
    assert caught.value.errors[0]["path"] == f"query.{name}"


def test_the_next_link_keeps_the_filters_and_names_the_place() -> None:
    """What it names is read back exactly."""
    key = (datetime(2025, 12, 8, 16, 0, 0, 123456, tzinfo=UTC), 42)
    link = next_link("/api/data/items", {"symbol": "a&b", "limit": "5", "offset": "10"}, key)
    assert link is not None
    arguments = dict(parse_qsl(urlsplit(link).query))
    assert arguments["symbol"] == "a&b"
    assert "offset" not in arguments
    assert read_page(arguments).after == key


def test_the_last_page_has_no_next() -> None:
    """None rather than a link to nothing."""
    assert next_link("/x", {}, None) is None
