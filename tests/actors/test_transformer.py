"""What can be mapped becomes items; everything else is kept raw, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
import trio

from etl_actors.actors import transformer as transforming
from etl_actors.actors.transformer import Transformer
from etl_actors.damage import Damage
from etl_actors.errors import PayloadRefused
from etl_actors.messages import Checkpoint, Extracted, Item, Transformed

from .parts import extracted


class Prices:
    """A mapping over a list of texts: ``x`` is refused, ``-`` is skipped, ``!`` is more than it can take."""

    api_name = "One"
    exchange = "binance"
    has_items = True
    mapped_fields: Mapping[str, str] = {"price": "@", "coin_symbol": "tickr"}

    def elements(self, document: Any) -> Sequence[Any]:
        if not isinstance(document, list):
            raise PayloadRefused("expected a list")
        return document

    def map_element(self, element: Any, position: int, params: Mapping[str, str]) -> Item | None:
        if element == "x":
            raise PayloadRefused("not a price", where="price")
        if element == "!":
            raise ZeroDivisionError("a bug")
        return None if element == "-" else Item(price=element, market_cap_rank=position)


class NoItems(Prices):
    """A connector whose response is the event."""

    has_items = False


async def test_each_element_becomes_an_item_with_its_place() -> None:
    """Skipped elements keep their place in the count."""
    said = await Transformer(lambda connector_id: Prices(), msgspec.json.encode).transform(extracted(["1", "-", "3"]))
    assert [(item.price, item.market_cap_rank) for item in said.items] == [("1", 1), ("3", 3)]
    assert said.store_response


async def test_an_element_that_cannot_be_mapped_costs_only_itself() -> None:
    """It is kept raw, with its place and the reason, and the good ones go on."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    said = await transformer.transform(extracted(["1", "x", "3"]))
    assert [item.price for item in said.items] == ["1", "3"]
    (rejected,) = said.rejected
    assert (rejected.raw, rejected.reason, rejected.where) == (b'"x"', "not a price", "element 2, price")
    assert transformer.statistics().refusals["one"].elements == 1


async def test_an_answer_of_the_wrong_shape_is_rejected_whole() -> None:
    """Its raw bytes are kept and no event is made of it."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    said = await transformer.transform(extracted({"error": "no"}, body=b'{"error":"no"}'))
    assert (said.store_response, said.items, said.rejected[0].raw) == (False, (), b'{"error":"no"}')
    assert transformer.statistics().refusals["one"].reason == "expected a list"
    await transformer.transform(extracted(["1"]))
    assert transformer.statistics().refusals == {}


async def test_an_answer_with_too_many_bad_elements_is_rejected_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row instead of thousands; the good ones among them are kept with it, to be replayed."""
    monkeypatch.setattr(transforming, "MOST_REJECTED", 2)
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    said = await transformer.transform(extracted(["x", "1", "x"]))
    assert (len(said.items), len(said.rejected), said.store_response) == (1, 2, True)
    said = await transformer.transform(extracted(["x", "1", "x", "x"]))
    assert (said.items, said.store_response) == ((), False)
    (rejected,) = said.rejected
    assert rejected.kind == "response"
    assert rejected.reason == "more than 2 elements are bad, the first: not a price"


async def test_the_last_refusal_is_remembered_when_it_is_over() -> None:
    """Until the connector is another; what the connector refused itself is not among them."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    await transformer.transform(extracted(["x"]))
    await transformer.transform(extracted(["1"]))
    assert not transformer.statistics().refusals
    assert transformer.statistics().last_refusals["one"].described == "1 element was rejected: not a price"
    await transformer.transform(extracted(None, refusal="no JSON"))
    assert transformer.statistics().last_refusals["one"].reason == "not a price"
    transformer.forget("one")
    assert not transformer.statistics().last_refusals


async def test_what_the_connector_refused_is_kept_too() -> None:
    """A body that is no JSON at all."""
    said = await Transformer(lambda connector_id: Prices(), msgspec.json.encode).transform(
        extracted(body=b"<html>", refusal="an HTML page came instead of JSON")
    )
    assert [(one.raw, one.reason) for one in said.rejected] == [(b"<html>", "an HTML page came instead of JSON")]


async def test_a_field_that_is_null_everywhere_is_warned_of() -> None:
    """Most often a typo; a field that is there only sometimes is none."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    await transformer.transform(extracted(["1", "2"]))
    warning = transformer.statistics().warnings["one"]
    assert warning == "null in all 2 items of the newest answer: coin_symbol (`tickr`)"
    await transformer.transform(extracted([]))
    assert transformer.statistics().warnings == {}


async def test_an_answer_of_which_nothing_is_left_is_told_apart() -> None:
    """Every element rejected is worse than some."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    await transformer.transform(extracted(["1", "x"]))
    assert not transformer.statistics().refusals["one"].nothing_left
    await transformer.transform(extracted(["x", "x"]))
    assert transformer.statistics().refusals["one"].nothing_left


async def test_a_mapping_that_crashes_costs_its_answer_only() -> None:
    """It is kept raw as a whole, and nothing half mapped is stored."""
    said = await Transformer(lambda connector_id: Prices(), msgspec.json.encode).transform(extracted(["1", "!"]))
    assert (said.items, said.store_response, said.rejected[0].raw) == ((), False, b"[]")
    assert said.rejected[0].reason == "the mapping crashed: ZeroDivisionError: a bug"


async def test_a_connector_without_items_stores_its_response() -> None:
    """Nothing is mapped."""
    said = await Transformer(lambda connector_id: NoItems(), msgspec.json.encode).transform(extracted({"a": 1}))
    assert (said.has_items, said.items, said.store_response) == (False, (), True)


async def test_what_is_rejected_knows_what_a_replay_needs() -> None:
    """What it is, its place, and under which connector; items know the elements that they were made of."""
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    made_under = Checkpoint(fingerprint=b"f" * 16)
    said = await transformer.transform(extracted(["1", "-", "x", "3"], checkpoint=made_under))
    (element,) = said.rejected
    assert (element.kind, element.position, element.fingerprint) == ("element", 3, b"f" * 16)
    assert element.response_time_ms == 12
    assert said.sources == ((1, "1"), (4, "3"))
    for kind in ("response", "frame"):
        (whole,) = (await transformer.transform(extracted({}, kind=kind))).rejected
        assert (whole.kind, whole.position) == (kind, None)


async def test_damaged_elements_are_rejected_as_they_were_sent() -> None:
    """The body that is stored has nothing in their places."""
    damage = Damage(body=b'["1",null]', mark=b"mark-", values=(b"NaN",), reasons=("it is NaN",))
    transformer = Transformer(lambda connector_id: Prices(), msgspec.json.encode)
    said = await transformer.transform(extracted(["1", "mark-0;"], body=b'["1",NaN]', damage=damage))
    assert ([item.price for item in said.items], said.body) == (["1"], damage.body)
    (rejected,) = said.rejected
    assert (rejected.raw, rejected.reason, rejected.where) == (b"NaN", "it is NaN", "element 2")


async def test_damage_in_no_element_rejects_the_whole() -> None:
    """Raw, and of a connector without items always."""
    damage = Damage(body=b"[null]", mark=b"mark-", values=(b"NaN",), reasons=("it is NaN",))
    for mapper in (Prices(), NoItems()):
        transformer = Transformer(lambda connector_id, mapper=mapper: mapper, msgspec.json.encode)  # type: ignore[misc]
        said = await transformer.transform(extracted(["1"], body=b"[NaN]", damage=damage))
        assert (said.items, said.store_response, said.body) == ((), False, b"[NaN]")
        assert (said.rejected[0].raw, said.rejected[0].reason) == (b"[NaN]", "it is NaN")


async def test_thousands_of_elements_do_not_hold_the_loop() -> None:
    """Another task runs many times while a large answer is mapped."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        said = await Transformer(lambda connector_id: Prices(), msgspec.json.encode).transform(
            extracted(["1"] * 200_000)
        )
        nursery.cancel_scope.cancel()
    assert len(said.items) == 200_000
    assert turns > 5


async def test_the_stage_ends_with_its_input() -> None:
    """And closes what comes after it."""
    extracted_send, extracted_receive = trio.open_memory_channel[Extracted](1)
    transformed_send, transformed_receive = trio.open_memory_channel[Transformed](1)
    await extracted_send.send(extracted(["1"]))
    await extracted_send.aclose()
    await Transformer(lambda connector_id: Prices(), msgspec.json.encode).run(extracted_receive, transformed_send)
    assert len([said async for said in transformed_receive]) == 1
