"""A hundred rows of which one cannot be kept: ninety-nine items, and the bad row as it was sent, with its reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import httpx
import pytest

from ..postgres import KeptServer, fresh_database, reachable_folder
from .origin_server import Provider, serving
from .rejecting import SERVICE, STRICT, Rejecting
from .started import started
from .test_connectors import items

MAPPING = STRICT | {"extra": {"at": "epoch(t)", "name": "n"}}
ROW = b'{"s":"C%d","p":%b,"t":%b,"n":%b}'
VALUES = {
    "nul": (b"1", b"1765209600", b'"a\\u0000b"', "NUL"),
    "nan": (b"NaN", b"1765209600", b'"n"', "NaN"),
    "infinity": (b"-Infinity", b"1765209600", b'"n"', "Infinity"),
    "deep": (b"1", b"1765209600", b"[" * 50_000 + b"]" * 50_000, "levels deep"),
    "digits": (b"9" * 10_000, b"1765209600", b'"n"', "too long"),
    "exponent": (b"1e99999", b"1765209600", b'"n"', "too long"),
    "surrogate": (b"1", b"1765209600", b'"\\ud800"', "surrogate"),
    "bytes": (b"1", b"1765209600", b'"\xff\xfe"', "UTF-8"),
    "date": (b"1", b"9e30", b'"n"', "not a time"),
    "no_date": (b"1", b'"yesterday"', b'"n"', "at: "),
    "no_number": (b'"n/a"', b"1765209600", b'"n"', "not a number"),
}


@pytest.fixture(scope="module")
def client(postgres: KeptServer) -> Iterator[httpx.Client]:
    """A client of one service for all tests of this file."""
    folder = reachable_folder()
    for database in fresh_database(postgres, template="template1"):
        with (
            started(folder, service=SERVICE, environment={"DATABASE_URL": database}) as running,
            running.client() as opened,
        ):
            yield opened
    shutil.rmtree(folder)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider for one connector."""
    with serving(lambda asked: (200, b"[]")) as made:
        yield made


@pytest.mark.parametrize("name", VALUES)
def test_one_bad_row_costs_no_other(client: httpx.Client, provider: Provider, name: str) -> None:
    """The response is stored, too, with nothing in the place of what cannot be, and the connector runs on."""
    price, moment, text, says = VALUES[name]
    bad = ROW % (42, price, moment, text)
    good = [ROW % (n, b'"95000.50"', b"1765209600", b'"\xc3\xa9"') for n in range(100)]
    body = b"[" + b",".join(bad if n == 42 else row for n, row in enumerate(good)) + b"]"
    one = Rejecting(client, provider, name, body, items=MAPPING)
    (kept,) = one.rejected()
    assert (kept["kind"], kept["where"].partition(",")[0]) == ("element", "element 43")
    assert says in kept["reason"]
    raw = client.get(f"/api/rejected/{kept['id']}", headers={"Accept": "application/octet-stream"}).content
    assert raw.replace(b"9E+30", b"9e30").replace(b"9" + b"0" * 30, b"9e30") == bad
    assert {item["coin_symbol"] for item in items(client, name)} == {f"C{n}" for n in range(100) if n != 42}
    ((response),) = client.get(f"/api/data/{name}").json()["data"]
    assert len(response["response_data"]) == 100
    assert response["response_data"][41] == json.loads(good[41])
    assert client.get(f"/api/connectors/{name}/status").json()["state"] == "running"


def test_a_bad_value_beside_the_rows_is_rejected_with_them(client: httpx.Client, provider: Provider) -> None:
    """It is in none of the elements that could be kept in its place."""
    body = b'{"rate":NaN,"rows":[{"s":"BTC","p":"1"}]}'
    one = Rejecting(client, provider, "beside", body, items=STRICT | {"each": "rows"})
    kept = one.rejected()[-1]
    assert (kept["kind"], kept["size"]) == ("response", len(body))
    assert "NaN" in kept["reason"]
    assert items(client, "beside") == []


def test_a_bad_row_is_rejected_again_with_its_reason(client: httpx.Client, provider: Provider) -> None:
    """No mapping can keep what cannot be kept."""
    one = Rejecting(client, provider, "again", b'[{"s":"A","p":"1","n":"\\u0000"},{"s":"B","p":"2"}]')
    (kept,) = one.rejected()
    answer = client.post(f"/api/rejected/{kept['id']}/replay")
    assert (answer.status_code, answer.json()["detail"]) == (422, kept["reason"])
