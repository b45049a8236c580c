"""What a configuration means, before it runs."""

from __future__ import annotations

import pytest

from etl_actors.budget import budget
from etl_actors.settings import Configuration, ConnectorSettings, ItemMapping, LimitSettings


def connector(name: str, **changes: object) -> ConnectorSettings:
    """A connector under the limit "slow"."""
    fields: dict[str, object] = {"connector_id": name, "url": "https://example.org", "limit": "slow"}
    return ConnectorSettings(**(fields | changes))  # type: ignore[arg-type]  # names and types of the schema


def test_a_limit_stretches_what_is_beyond_it() -> None:
    """Three at 10 s under 5 a minute are polled every 36 s: 5 calls a minute in all."""
    configuration = Configuration(
        limits={"slow": LimitSettings(requests_per_minute=5)}, connectors=tuple(map(connector, "abc"))
    )
    found = budget(configuration)
    assert [one.effective_seconds for one in found.connectors] == pytest.approx([36, 36, 36])
    (limit,) = found.limits
    assert (limit.used, limit.wanted, limit.allowed) == (pytest.approx(5), pytest.approx(18), 5)


def test_weights_count_what_a_call_costs() -> None:
    """Binance's own figures: 89 a round, 534 a minute."""
    configuration = Configuration(
        limits={"slow": LimitSettings(weight_per_minute=6000)},
        connectors=(connector("a", cost=5), connector("b", cost=4), connector("c", cost=80)),
    )
    (limit,) = budget(configuration).limits
    assert (limit.used, limit.unit, limit.per) == (pytest.approx(534), "weight", "minute")


def test_bytes_follow_from_what_a_connector_brings() -> None:
    """More items and shorter intervals mean more; one that is switched off means nothing."""
    small = connector("a", limit=None, items=ItemMapping(price="p"), expected_items=10, expected_response_bytes=1000)
    large = connector("b", limit=None, items=ItemMapping(price="p"), expected_items=1000, expected_response_bytes=1000)
    off = connector("c", limit=None, enabled=False)
    found = budget(Configuration(connectors=(small, large, off)))
    assert [one.connector_id for one in found.connectors] == ["a", "b"]
    assert found.connectors[1].gigabytes_a_day > 10 * found.connectors[0].gigabytes_a_day
    assert found.gigabytes_a_day == pytest.approx(sum(one.gigabytes_a_day for one in found.connectors))
    assert not found.connectors[0].assumed
