"""The OpenAPI document says what the service does, and the service does what the document says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import jsonschema_rs
import pytest

from etl_actors.web.access import AccessPolicy
from etl_actors.web.app import create_app
from etl_actors.web.openapi.document import document
from etl_actors.web.openapi.routes import undocumented

CASES = 2_000
METHODS = {"get", "put", "post", "delete", "patch"}
NOT_PLAUSIBLE = {"ignored_auth"}  # a service on loopback asks for no keys


def unserved() -> Any:
    """The application alone; nobody asks it anything."""
    nobody = cast("Any", None)
    return create_app(
        reader=nobody,
        statuses=nobody,
        metrics=nobody,
        roster=nobody,
        extractor=nobody,
        files=nobody,
        file_reader=nobody,
        rejected=nobody,
        publisher=nobody,
        postbox=nobody,
        version="1.2.3",
        position_seconds=1,
        max_body_bytes=1,
        access=AccessPolicy(
            doorkeeper=nobody, keys=nobody, keys_required=False, listened_host="127.0.0.1", session_secret=b""
        ),
    )


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The document."""
    return document(unserved(), version="1.2.3")


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its place."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every body, answer and error: its place, its media type, and what is said of it."""
    for place, operation in operations(described):
        for kind, one in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{place} body", kind, one
        for status, answer in operation["responses"].items():
            yield from ((f"{place} {status}", kind, one) for kind, one in answer.get("content", {}).items())
    for name, answer in described["components"]["responses"].items():
        yield from ((name, kind, one) for kind, one in answer["content"].items())


def validator(described: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A validator of a schema that refers to the components."""
    return jsonschema_rs.Draft202012Validator(schema | {"components": described["components"]}, validate_formats=True)


def test_every_route_is_described() -> None:
    """A route of which nothing is said beside it is named here."""
    assert undocumented(unserved()) == []


def test_an_answer_takes_as_long_as_its_client_reads() -> None:
    """The framework's limit of a minute would cut exports and large pages off."""
    assert unserved().config["RESPONSE_TIMEOUT"] is None


def test_every_operation_is_complete(described: dict[str, Any]) -> None:
    """A summary, an id of its own, words for each parameter, and where a key is needed the scope and its refusals."""
    ids = [operation["operationId"] for _, operation in operations(described)]
    assert len(ids) == len(set(ids)) > 15
    for place, operation in operations(described):
        assert operation["summary"], place
        assert all(parameter["description"] for parameter in operation["parameters"]), place
        if operation["security"]:
            assert {"401", "403"} <= set(operation["responses"]), place
            assert "Needs the scope" in operation["description"]
    keyless = {place for place, operation in operations(described) if not operation["security"]}
    assert keyless == {"GET /", "GET /healthz", "GET /readyz", "POST /api/session", "DELETE /api/session"}


def test_keys_are_optional_only_where_none_are_asked_for() -> None:
    """The document of a service that asks for keys says so."""
    asking = document(unserved(), version="1", keys_required=True)
    assert {} not in asking["paths"]["/api/status"]["get"]["security"]
    assert {"bearer": ["read"]} in asking["paths"]["/api/status"]["get"]["security"]


def test_every_json_has_an_example_and_it_is_what_the_schema_says(described: dict[str, Any]) -> None:
    """Bodies, answers and errors."""
    for place, kind, content in contents(described):
        examples = [one["value"] for one in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        assert examples or "json" not in kind.split("/")[1].split("+"), place
        for example in examples:
            assert not [str(error) for error in validator(described, content["schema"]).iter_errors(example)], place


def test_every_chapter_is_named_and_told_of(described: dict[str, Any]) -> None:
    """In the order in which one reads them."""
    used = {tag for _, operation in operations(described) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in described["tags"]}
    assert all(tag["description"] for tag in described["tags"])


def test_nothing_is_answered_that_is_not_described(described: dict[str, Any], client: httpx.Client) -> None:
    """The answers of a running service have no field that the document does not name."""
    strict = json.loads(json.dumps(described))
    for shape in strict["components"]["schemas"].values():
        if shape.get("type") == "object":
            shape.setdefault("additionalProperties", False)
    for place, operation in operations(strict):
        method, _, path = place.partition(" ")
        if method == "GET" and "application/json" in operation["responses"]["200"]["content"]:
            path = path.format(connector_id="binance_24hr", symbol="BTC", file_id=1, key_id=1, rejected_id=1)
            answer = client.get(path)
            if answer.status_code in {401, 404}:
                continue  # keys need one to be seen; nothing of that kind in a demo
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert not [str(error) for error in validator(strict, schema).iter_errors(answer.json())], place


def test_the_document_is_served_and_not_sent_twice(client: httpx.Client) -> None:
    """With an ETag, since it never changes while the service runs."""
    answer = client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"].startswith("3.1")
    assert client.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_bring_all_they_need(client: httpx.Client, path: str) -> None:
    """No word to anybody else, no script in the page, and a policy that would not let one in."""
    page = client.get(path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "//" not in page.text.replace("</", "")
    assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert len(assets) >= 3
    for asset in assets:
        assert client.get(asset).status_code == 200, asset


def test_redoc_tells_its_makers_nothing(client: httpx.Client) -> None:
    """It is switched off where we start it, and the switch is still known to it."""
    started = client.get("/docs/assets/start_redoc.js").text
    assert "disableTelemetry: true" in started
    redoc = client.get("/docs/assets/redoc.js").text
    assert "disableTelemetry" in redoc
    assert re.search(r"export\{[^}]*\binit\b[^}]*\};?\s*$", redoc)


def test_only_their_own_files_are_served(client: httpx.Client) -> None:
    """Not everything that lies in those folders."""
    for name in ("scalar.js", "__init__.py", "docs.html", "..%2fpages.py", "a" * 5000):
        assert client.get(f"/docs/assets/{name}").status_code == 404


def test_schemathesis_finds_no_fault(tormented: str, tmp_path: Path) -> None:
    """Thousands of requests over all operations, valid and not: nothing but what the document says comes back."""
    listed = httpx.get(f"{tormented}/openapi.json").json()
    ending = {path: methods for path, methods in listed["paths"].items() if path != "/api/stream"}
    count = sum(len(METHODS & set(methods)) for methods in ending.values())
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            *("--config-file", str(Path(__file__).with_name("schemathesis.toml"))),
            "run",
            f"{tormented}/openapi.json",
            *("--seed", "20251208"),
            *("--phases", "examples,coverage,fuzzing,stateful"),
            *("--max-examples", str(CASES * 6 // 5 // count)),
            *("--exclude-checks", ",".join(NOT_PLAUSIBLE)),
            *("--workers", "1"),  # with more, CPython 3.11 now and then confuses the depth of two parsers
            *("--request-timeout", "30"),
            "--continue-on-failure",
            *("--report", "json", "--report-json-path", str(report)),
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["operations"]["tested"] == count
    assert found["test_cases"]["generated"] >= CASES
