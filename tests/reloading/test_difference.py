"""What has to change so that what runs is what the files say."""

from __future__ import annotations

from msgspec.structs import replace

from etl_actors.reloading.difference import Running, difference
from etl_actors.reloading.live import LiveSettings, changed_keys
from etl_actors.roster_entry import Entry, written_entries
from etl_actors.settings import Configuration, ConnectorSettings, LimitSettings, Secret, ServiceSettings, SymbolSettings
from etl_actors.settings.connector import BearerAuth
from etl_actors.settings.service import Logging, Retention, Server


def connector(name: str, token: str = "") -> ConnectorSettings:
    """Some connector."""
    return ConnectorSettings(connector_id=name, url="https://a.example/", auth=BearerAuth(token=Secret(token)))


def written(*connectors: ConnectorSettings, file: str = "a.toml") -> Configuration:
    """A configuration of these."""
    origin = {one.connector_id: (file, f"connectors[{index}]") for index, one in enumerate(connectors)}
    return Configuration(connectors=connectors, origin=origin)


def running(configuration: Configuration, *kept: ConnectorSettings) -> Running:
    """What runs after a start with it, and with these made over REST."""
    entries = [*written_entries(configuration), *(Entry(settings=one, etag="1") for one in kept)]
    return Running(
        entries={entry.settings.connector_id: entry for entry in entries},
        limits=configuration.limits,
        symbols=configuration.symbols,
    )


def names(before: Running, after: Configuration) -> dict[str, list[str]]:
    """What changes, by kind, without what does not."""
    return {kind: found for kind, found in difference(before, after).names().items() if found}


def test_only_what_differs_is_named() -> None:
    """Also a secret; what was made over REST is never among it."""
    before = running(written(connector("a"), connector("b", "one"), connector("c")), connector("mine"))
    assert names(before, written(connector("a"), connector("b", "one"), connector("c"))) == {}
    after = written(connector("d"), connector("a"), connector("b", "two"))
    assert names(before, after) == {"added": ["d"], "changed": ["b"], "removed": ["c"]}
    assert names(before, written()) == {"removed": ["a", "b", "c"]}


def test_a_connector_in_another_file_is_the_same() -> None:
    """It is moved, whatever its place there is."""
    before = running(written(connector("a"), connector("b")))
    after = written(connector("b"), connector("a"), file="b.toml")
    assert names(before, after) == {"moved": ["b", "a"]}
    assert names(before, written(connector("b"), connector("a"))) == {}


def test_limits_and_symbol_tables_differ_by_themselves() -> None:
    """Their connectors do not change with them."""
    base = written(connector("a"))
    limits = {"kept": LimitSettings(), "faster": LimitSettings(requests_per_minute=1), "gone": LimitSettings()}
    symbols = {"kept": SymbolSettings(url="https://a.example"), "gone": SymbolSettings(url="https://a.example")}
    before = running(replace(base, limits=limits, symbols=symbols))
    after = replace(
        base,
        limits={"kept": LimitSettings(), "faster": LimitSettings(requests_per_minute=2)},
        symbols={"kept": SymbolSettings(url="https://b.example"), "new": SymbolSettings(url="https://a.example")},
    )
    assert names(before, after) == {
        "limits_put": ["faster"],
        "limits_removed": ["gone"],
        "symbols_put": ["kept", "new"],
        "symbols_removed": ["gone"],
    }


def test_a_setting_is_set_or_waits_until_it_is_taken_back() -> None:
    """Each setter is called once, and only when something of its own changed."""
    said: list[str] = []
    live = LiveSettings(
        ServiceSettings(),
        {"retention": lambda service: said.append("retention"), "logging.debug": lambda service: said.append("debug")},
    )
    wanted = ServiceSettings(server=Server(port=1), retention=Retention(items_days=1, files_days=1))
    assert live.apply(wanted) == ["retention.items_days", "retention.files_days"]
    assert (said, live.waiting()) == (["retention"], ["server.port"])
    assert live.apply(replace(wanted, logging=Logging(debug=True))) == ["logging.debug"]
    assert (said, live.waiting()) == (["retention", "debug"], ["server.port"])
    assert live.apply(ServiceSettings()) == ["retention.items_days", "retention.files_days", "logging.debug"]
    assert live.waiting() == []


def test_a_changed_secret_of_the_service_is_a_changed_key() -> None:
    """Told by its name alone."""
    before = ServiceSettings()
    after = replace(before, database=replace(before.database, url=Secret("postgresql://canary")))
    assert changed_keys(before, after) == ["database.url"]
