"""Pages and cursors in virtual time: each page is sent on its own, and what is committed is enough to go on from."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog
import trio
from trio.testing import MockClock

from etl_actors.errors import PollFailed
from etl_actors.messages import Checkpoint, Claim, Extracted, Page, Reading
from etl_actors.settings import ConnectorSettings, Cursor, ItemMapping, LimitSettings, NumberedPages, TokenPages
from etl_actors.sources.pacing import Limit
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable

from .test_connector import actor_of, clock, running

SINCE = Cursor(param="since", from_="max([].id)", initial="0")
PAGES = NumberedPages(size=2)


class Ledger:
    """A provider that numbers its rows from 1 on; ``failures`` are played for the n-th request, counted from 1."""

    def __init__(self, rows: int, *, newest_first: bool = False, failures: dict[int, Any] | None = None) -> None:
        self.rows = rows
        self.asked: list[dict[str, str]] = []
        self._newest_first = newest_first
        self._failures = failures or {}

    async def poll(self, checkpoint: Checkpoint, page: Page) -> Reading | None:
        await trio.sleep(0.1)
        self.asked.append(page.params)
        turn = self._failures.get(len(self.asked))
        if isinstance(turn, PollFailed):
            raise turn
        ids = [n for n in range(1, self.rows + 1) if n > int(page.params.get("since", 0))]
        if self._newest_first:
            ids.reverse()
        if "page" in page.params:
            begin = 2 * (int(page.params["page"]) - 1)
            ids = ids[begin : begin + 2]
        body = turn if isinstance(turn, bytes) else json.dumps([{"id": n} for n in ids]).encode()
        return Reading(body=body, received_at=clock(), response_time_ms=1)


def actor(source: Ledger, *, stored: Any = None, limit: Limit | None = None, **settings: Any):
    """An actor over rows with ids, whose last commit ended at ``stored``."""
    whole = {"connector_id": "one", "url": "http://x", "items": ItemMapping(extra={"id": "id"})} | settings
    connector = ConnectorSettings(**whole)

    async def claim(connector_id: str) -> Claim:
        kept = stored if isinstance(stored, Checkpoint) else None
        return Claim(epoch=7, checkpoint=kept or Checkpoint(fingerprint=connector.fingerprint(), cursor=stored))

    mapping = Mapping(connector, SymbolTable())
    return actor_of(source, settings=whole, inspector=mapping, claim=claim, limit=limit)


def ids(messages: list[Extracted]) -> list[list[int]]:
    return [[row["id"] for row in json.loads(one.body)] for one in messages]


async def test_each_page_is_a_message_of_its_own(autojump_clock: MockClock) -> None:
    """One poll, three requests, three messages, the next poll at its tick."""
    source = Ledger(5)
    one = actor(source, pagination=PAGES)
    async with running(one) as sent:
        await trio.sleep(5)
        assert ids(sent()) == [[1, 2], [3, 4], [5]]
        assert [asked["page"] for asked in source.asked] == ["1", "2", "3"]
        assert one.statistics().polls == 1
        await trio.sleep(10)
        assert ids(sent()) == [[1, 2], [3, 4], [5]]


async def test_every_page_is_admitted_at_the_gate(autojump_clock: MockClock) -> None:
    """Six calls a minute are six pages a minute."""
    source = Ledger(20)
    limit = Limit(LimitSettings(requests_per_minute=6))
    async with running(actor(source, pagination=PAGES, limit=limit)):
        await trio.sleep(59)
        assert len(source.asked) <= 7
        await trio.sleep(121)
        assert len(source.asked) <= 19


async def test_pages_before_a_failure_are_kept_and_the_poll_counts_as_failed(autojump_clock: MockClock) -> None:
    """Without a cursor the next poll begins the list anew; with one it goes on where it was."""
    for cursor, expected in ((None, "1"), (SINCE, "2")):
        source = Ledger(4, failures={2: PollFailed("HTTP 500", status=500)})
        one = actor(source, pagination=PAGES, cursor=cursor)
        async with running(one) as sent:
            await trio.sleep(5)
            assert ids(sent()) == [[1, 2]]
            statistics = one.statistics()
            assert (statistics.consecutive_failures, statistics.last_error) == (1, "HTTP 500")
            await trio.sleep(15)
            assert source.asked[2]["page"] == expected
            assert one.statistics().consecutive_failures == 0


async def test_error_that_is_told_with_a_200_ends_the_sweep(autojump_clock: MockClock) -> None:
    """A body that is no page is kept as refused, and the page is asked for again."""
    source = Ledger(4, failures={2: b'{"oops": 1}'})
    async with running(actor(source, pagination=PAGES, cursor=SINCE)) as sent:
        await trio.sleep(5)
        good, refused = sent()
        assert refused.refusal is not None
        assert refused.checkpoint == good.checkpoint
        await trio.sleep(15)
        assert ids(sent())[0] == [3, 4]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("pagination", [None, PAGES])
async def test_restart_at_any_message_loses_nothing_and_repeats_nothing(
    autojump_clock: MockClock, pagination: Any, newest_first: bool
) -> None:
    """Killed behind each message in turn, with only that message committed: every row once, whatever the order."""
    source = Ledger(0, newest_first=newest_first)
    committed: list[int] = []
    stored: Any = None
    for round_ in range(30):
        if round_ < 15:
            source.rows += round_ % 4
        async with running(actor(source, stored=stored, pagination=pagination, cursor=SINCE)) as sent:
            await trio.sleep(9)
            messages = sent()
        if messages:
            # Only the first message was committed; the others died with the process.
            committed += ids(messages[:1])[0]
            stored = messages[0].checkpoint.cursor
    if not newest_first or pagination is None:
        assert sorted(committed) == list(range(1, source.rows + 1))
        assert len(set(committed)) == len(committed)
    else:
        # New rows push old ones onto the next page: those may come again, and none is missing.
        assert set(committed) == set(range(1, source.rows + 1))


async def test_commit_of_any_message_is_a_place_to_continue_from(autojump_clock: MockClock) -> None:
    """The same list, cut behind each of its messages: what follows is exactly the rest of it."""
    for newest_first in (False, True):
        source = Ledger(9, newest_first=newest_first)
        async with running(actor(source, pagination=PAGES, cursor=SINCE)) as sent:
            await trio.sleep(5)
            whole = sent()
        assert len(whole) == 5
        for place, message in enumerate(whole, start=1):
            again = Ledger(9, newest_first=newest_first)
            async with running(actor(again, stored=message.checkpoint, pagination=PAGES, cursor=SINCE)) as sent:
                await trio.sleep(5)
                rest = [rows for rows in ids(sent()) if rows]
            assert rest == ids(whole[place:])


async def test_list_longer_than_max_pages_is_read_on_by_the_next_poll(autojump_clock: MockClock) -> None:
    """Two pages a poll; the log says so once."""
    source = Ledger(12)
    pages = NumberedPages(size=2, max_pages=2)
    with structlog.testing.capture_logs() as logs:
        async with running(actor(source, pagination=pages, cursor=SINCE)) as sent:
            await trio.sleep(9)
            assert ids(sent()) == [[1, 2], [3, 4]]
            await trio.sleep(10)
            assert ids(sent()) == [[5, 6], [7, 8]]
            await trio.sleep(20)
            assert ids(sent()) == [[9, 10], [11, 12], []]
    assert [entry["event"] for entry in logs].count("connector.pages_left") == 1


async def test_changed_settings_keep_the_cursor_and_not_the_page(autojump_clock: MockClock) -> None:
    """Another url is another list; it is asked for what comes after the same cursor."""
    source = Ledger(9)
    stored = Checkpoint(fingerprint=b"other", cursor={"cursor": "5", "seen": "7", "page": 2, "number": 1})
    async with running(actor(source, stored=stored, pagination=PAGES, cursor=SINCE)) as sent:
        await trio.sleep(5)
        assert ids(sent()) == [[6, 7], [8, 9], []]
    assert source.asked[0] == {"since": "5", "page": "1", "per_page": "2"}


async def test_unchanged_pages_are_not_sent_again(autojump_clock: MockClock) -> None:
    """With store = "changed" each page is compared with itself, after a restart too."""
    source = Ledger(5)
    settings = {"pagination": PAGES, "store": "changed"}
    one = actor(source, **settings)
    async with running(one) as sent:
        await trio.sleep(15)
        first = sent()
        assert ids(first) == [[1, 2], [3, 4], [5]]
        assert (one.statistics().polls, one.statistics().unchanged) == (2, 1)
        source.rows = 6
        await trio.sleep(10)
        changed = sent()
        assert ids(changed) == [[5, 6], []]
    again = Ledger(6)
    async with running(actor(again, stored=changed[-1].checkpoint, **settings)) as sent:
        await trio.sleep(5)
        assert sent() == []
        assert len(again.asked) >= 3
    partly = Ledger(6)
    async with running(actor(partly, stored=first[1].checkpoint, **settings)) as sent:
        await trio.sleep(5)
        assert ids(sent()) == [[5, 6], []]


async def test_unchanged_answer_keeps_the_cursor(autojump_clock: MockClock) -> None:
    """An empty answer twice is stored once, and the cursor stays where it is."""
    source = Ledger(3)
    async with running(actor(source, cursor=SINCE, store="changed")) as sent:
        await trio.sleep(35)
        assert ids(sent()) == [[1, 2, 3], []]
        source.rows = 4
        await trio.sleep(10)
        assert ids(sent()) == [[4]]
    assert [asked["since"] for asked in source.asked] == ["0", "3", "3", "3", "3"]


async def test_stop_between_pages_loses_no_page_that_was_read(autojump_clock: MockClock) -> None:
    """What was read is sent; what was not is not asked for any more."""
    source = Ledger(100)
    one = actor(source, pagination=PAGES)
    send, receive = trio.open_memory_channel[Extracted](100)
    with trio.move_on_after(0.55):
        await one.run(send)
    sent = [message async for message in receive if message.kind != "notice"]
    assert ids(sent) == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert len(source.asked) == 5
    receive.close()


class Circle:
    """A provider whose pages name each other."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def poll(self, checkpoint: Checkpoint, page: Page) -> Reading | None:
        await trio.sleep(0.1)
        here = page.params.get("cursor", "a")
        self.asked.append(here)
        body = json.dumps({"here": here, "next": "b" if here == "a" else "a"}).encode()
        return Reading(body=body, received_at=clock(), response_time_ms=1)


async def test_circle_of_pages_is_left_and_told(autojump_clock: MockClock) -> None:
    """Each page once or twice, and a sentence in the status instead of requests without end."""
    source = Circle()
    connector = ConnectorSettings(connector_id="one", url="http://x", pagination=TokenPages(from_="next"))
    one = actor_of(
        source, settings={"pagination": TokenPages(from_="next")}, inspector=Mapping(connector, SymbolTable())
    )
    async with running(one) as sent:
        await trio.sleep(5)
        assert len(sent()) == len(source.asked) == 3
        assert "circle" in (one.statistics().last_error or "")
        assert one.statistics().state == "failing"
