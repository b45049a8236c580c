"""``GET /metrics`` of a running service, and what is made for it: the dashboard and the alert rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import Metric, parser
from prometheus_client.openmetrics import parser as openmetrics_parser

DOCS = Path(__file__).parents[2] / "docs"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1"
    ";q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
NAME = re.compile(r"\b(?:etl|process)_[a-z0-9_]+")
SELECTOR = re.compile(r"\b((?:etl|process)_[a-z0-9_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
OF_PROMETHEUS = {"instance", "job"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def scraped(client: httpx.Client) -> dict[str, Metric]:
    """Every family of a scrape, by its name."""
    response = client.get("/metrics")
    assert (response.status_code, response.headers["content-type"]) == (200, TEXT)
    return {family.name: family for family in parser.text_string_to_metric_families(response.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    """The one sample of that name and these labels."""
    (found,) = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def sample_names(families: dict[str, Metric]) -> set[str]:
    """What can be asked for by name, whether there is one now or not."""
    return {family.name + end for family in families.values() for end in SUFFIXES.get(family.type, ("",))}


def test_the_text_follows_the_conventions(client: httpx.Client) -> None:
    """Our prefix, a sentence for each, seconds and bytes and no other units."""
    families = scraped(client)
    assert len(families) > 60
    for family in families.values():
        assert family.name.startswith(("etl_", "process_")), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in {"gauge", "counter", "histogram"}, family.name
        assert not re.search(r"_(ms|milliseconds|minutes|mb|percent)$", family.name)
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples), family.name


def test_openmetrics_is_given_to_who_prefers_it(client: httpx.Client) -> None:
    """As Prometheus does; everybody else gets plain text, whatever nonsense they accept."""
    asked = client.get("/metrics", headers={"Accept": PROMETHEUS})
    assert asked.headers["content-type"] == OPENMETRICS
    assert asked.text.endswith("# EOF\n")
    plain = set(scraped(client))
    strict = {family.name for family in openmetrics_parser.text_string_to_metric_families(asked.text)}
    assert {"etl_commit_lag_seconds", "etl_connector_polls", "etl_build"} <= strict
    assert len(strict) == len(plain)
    for accept in ("*/*", "text/html", "application/openmetrics-text;q=0", "text/plain;version=x", ""):
        assert client.get("/metrics", headers={"Accept": accept}).headers["content-type"] == TEXT, accept
    odd = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=999999.x"})
    assert (odd.status_code, odd.headers["content-type"]) == (200, OPENMETRICS)


def test_it_says_what_the_status_says(client: httpx.Client) -> None:
    """The same statistics; what counts only grows between the two."""
    before = client.get("/api/status").json()
    families = scraped(client)
    after = client.get("/api/status").json()
    for name, key in (("batches", "batches"), ("rows", "rows")):
        found = value(families, f"etl_loader_{name}_total")
        assert before["loader"][key] <= found <= after["loader"][key]
    assert (
        before["subscribers"]["head"] <= value(families, "etl_broadcaster_head_offset") <= after["subscribers"]["head"]
    )
    assert value(families, "etl_ready") == value(families, "etl_database_up") == 1
    assert value(families, "etl_channel_capacity_messages", channel="loaded") == 64
    for connector_id in before["connectors"]["running"]:
        assert value(families, "etl_connector_state", connector=connector_id, state="running") == 1
        assert value(families, "etl_transformer_items_total", connector=connector_id) >= 0
    assert value(families, "etl_build_info", version=before["version"], python=python_of(families)) == 1
    assert value(families, "process_resident_memory_bytes") > 10_000_000


def python_of(families: dict[str, Metric]) -> str:
    """The version of Python that the service runs on."""
    return families["etl_build_info"].samples[0].labels["python"]


def test_every_event_was_timed_from_its_answer_to_its_socket(client: httpx.Client) -> None:
    """Nothing is sampled: histograms have counted what the statistics count, as far as these are not ahead."""
    first, second = scraped(client), scraped(client)
    connector = {"connector": "binance_24hr"}

    def answers(families: dict[str, Metric]) -> float:
        polls = value(families, "etl_connector_polls_total", **connector)
        return polls - value(families, "etl_connector_failures_total", **connector)

    events, batches = "etl_broadcaster_events_total", "etl_loader_batches_total"
    latencies = "etl_connector_poll_latency_seconds_count"
    assert 0 < value(first, events) <= value(second, "etl_handout_lag_seconds_count")
    assert 0 < value(first, batches) <= value(second, "etl_commit_duration_seconds_count")
    assert 0 < answers(first) <= value(second, latencies, **connector)
    assert value(first, "etl_commit_lag_seconds_count") > 0
    assert value(first, "etl_event_loop_lag_seconds_count") > 0


def test_series_are_as_many_as_connectors_and_actors(client: httpx.Client) -> None:
    """One that is deleted takes its series along, and nothing else has a label of its own."""
    made = client.post(
        "/api/connectors", json={"connector_id": "fleeting", "url": "https://example.org/", "enabled": False}
    )
    assert made.status_code == 201
    families = scraped(client)
    assert value(families, "etl_connector_state", connector="fleeting", state="stopped") == 1
    assert client.delete("/api/connectors/fleeting").status_code == 204
    families = scraped(client)
    listed = {one["connector_id"] for one in client.get("/api/connectors").json()["connectors"]}
    for family in families.values():
        for sample in family.samples:
            assert sample.labels.keys() <= {
                *("actor", "channel", "connector", "counts", "kind", "le", "limit", "pool", "provider", "python"),
                *("source", "state", "table", "version", "window_seconds"),
            }  # fmt: skip
            assert sample.labels.get("connector") in {None, *listed}


def panels() -> Iterator[tuple[str, str]]:
    """``(title, expression)`` of everything that the dashboard draws."""
    dashboard = json.loads((DOCS / "grafana" / "etl-actors.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["definition"]


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    rules = yaml.safe_load((DOCS / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def expressions() -> list[tuple[str, str]]:
    """Those of both, each with where it stands."""
    return [*panels(), *((rule["alert"], rule["expr"]) for rule in alerts())]


def test_dashboard_and_alerts_ask_for_what_there_is(client: httpx.Client) -> None:
    """Every metric that they name is scraped, under a label that it has."""
    families = scraped(client)
    there, labels = sample_names(families), {}
    for family in families.values():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
    for place, expression in expressions():
        names = set(NAME.findall(re.sub(r'"[^"]*"', '""', expression)))
        assert names, place
        assert names <= there, (place, names - there)
        for name, matchers in SELECTOR.findall(expression):
            if name in labels:
                assert set(MATCHER.findall(matchers)) <= labels[name] | OF_PROMETHEUS, (place, expression)


def test_the_dashboard_shows_everything_that_is_scraped(client: httpx.Client) -> None:
    """Nothing is told that nobody can look at, except what is the same in other words."""
    shown = {name for _, expression in panels() for name in NAME.findall(expression)}
    shown = {re.sub(r"_(bucket|total|count|sum)$", "", name) for name in shown}
    scraped_names = {re.sub("_total$", "", name) for name in scraped(client)}
    assert scraped_names - shown == {"etl_provider_connectors", "process_virtual_memory_bytes"}


def test_the_dashboard_goes_with_any_data_source() -> None:
    """It is a variable; panels and their parts do not overlap and have ids of their own."""
    dashboard = json.loads((DOCS / "grafana" / "etl-actors.json").read_text(encoding="utf-8"))
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]
    assert len({tuple(panel["gridPos"].values()) for panel in dashboard["panels"]}) == len(ids)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_how_bad(rule: dict[str, Any]) -> None:
    """A name of ours, a severity, a line for the pager and a sentence that helps."""
    assert rule["alert"].startswith("Etl")
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    assert len(rule["annotations"]["summary"]) < 120
