"""What a REST caller may have asked, of every url that a connector has."""

from __future__ import annotations

from etl_actors.roster_request import target_mistakes
from etl_actors.settings import ConnectorSettings, Sequence, Snapshot


def test_every_url_of_a_connector_is_looked_at() -> None:
    """The one of its snapshots too: it would be asked on behalf of the caller."""
    sequence = Sequence(
        key="s",
        first="U",
        on_gap="resync",
        bids="b",
        asks="a",
        snapshot=Snapshot(url="http://10.0.0.7/depth?symbol={key}"),
    )
    asking = ConnectorSettings(connector_id="one", kind="websocket", url="wss://10.0.0.8/ws", sequence=sequence)
    found = target_mistakes(asking, lambda url: f"{url} is private" if "//10." in url else None)
    assert [path for path, _ in found] == ["url", "sequence.snapshot.url"]
