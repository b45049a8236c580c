"""The pages of a poll, decided without any waiting: which is asked for, where the list ends, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.actors.connector_digests import page_digest, with_page_digest
from etl_actors.actors.connector_sweep import Sweep, count_elements
from etl_actors.errors import PayloadRefused
from etl_actors.messages import Onward, Page
from etl_actors.settings import ConnectorSettings, Cursor, LinkedPages, NumberedPages, OffsetPages, TokenPages

SINCE = Cursor(param="since", from_="x", initial=0)


def sweep(pagination: Any = None, cursor: Cursor | None = None, stored: Any = None) -> Sweep:
    return Sweep(ConnectorSettings(connector_id="one", url="http://x", pagination=pagination, cursor=cursor), stored)


def turn(
    one: Sweep, elements: int = 0, *, token: str | None = None, cursor: str | None = None, link: str | None = None
):
    one.turn(elements, Onward(next_page=token, cursor=cursor), link)


def test_poll_without_pages_is_one_page() -> None:
    """Nothing is added, nothing remembered, and what was is left alone."""
    one = sweep(stored={"kept": 1})
    assert one.page() == Page()
    turn(one)
    assert (one.over, one.stored()) == (True, {"kept": 1})


def test_numbers_go_on_until_a_page_is_short() -> None:
    """The size is sent, and a page with fewer elements is the last."""
    one = sweep(NumberedPages(size=10))
    assert one.page().params == {"page": "1", "per_page": "10"}
    turn(one, 10)
    assert one.page().params == {"page": "2", "per_page": "10"}
    turn(one, 9)
    assert one.over


def test_numbers_without_a_size_go_on_until_a_page_is_empty() -> None:
    """The provider's own size is not known, so a shorter page says nothing."""
    one = sweep("page")
    for number, elements in enumerate([10, 3, 1], start=1):
        assert one.page().params == {"page": str(number)}
        turn(one, elements)
    assert not one.over
    turn(one, 0)
    assert one.over


def test_offset_counts_what_came() -> None:
    """A provider that gives fewer than it was asked for, or more, is followed."""
    one = sweep(OffsetPages(size=10, start=5))
    assert one.page().params == {"offset": "5", "limit": "10"}
    turn(one, 12)
    assert one.page().params == {"offset": "17", "limit": "10"}
    turn(one, 3)
    assert one.over
    bare = sweep("offset")
    turn(bare, 7)
    turn(bare, 3)
    assert bare.page().params == {"offset": "10"}


def test_token_is_followed_until_there_is_none() -> None:
    """Whatever the pages hold."""
    one = sweep(TokenPages(from_="next", param="after", size=2, size_param="first"))
    assert one.page().params == {"first": "2"}
    turn(one, token="abc")
    assert one.page().params == {"after": "abc", "first": "2"}
    turn(one, token=None)
    assert one.over


def test_cursor_may_lead_from_page_to_page() -> None:
    """Without another token, it is asked on from what the page before named, until that does not move any more."""
    for last in (None, "9"):
        one = sweep("cursor", SINCE)
        asked = []
        for cursor in ("5", "9", last):
            asked.append(one.page().params)
            assert not one.over
            turn(one, 1, cursor=cursor)
            assert one.stored() == (cursor or "9")
        assert asked == [{"since": "0"}, {"since": "5"}, {"since": "9"}]
        assert (one.over, one.trouble) == (True, None)
    back = sweep(TokenPages(size=5), SINCE, stored="5")
    assert back.page().params == {"since": "5", "limit": "5"}
    turn(back, cursor="9")
    turn(back, cursor="5")
    assert "circle" in (back.trouble or "")
    cut = sweep(TokenPages(max_pages=1), SINCE)
    turn(cut, cursor="5")
    assert (cut.over, cut.cut, cut.stored()) == (True, True, "5")
    nothing = sweep("cursor", SINCE)
    turn(nothing, cursor=None)
    assert (nothing.over, nothing.stored()) == (True, None)


def test_link_is_followed_until_there_is_none() -> None:
    """The link is the whole request."""
    one = sweep("link_header", SINCE)
    assert one.page() == Page(params={"since": "0"})
    turn(one, link="http://x/?page=2&since=0")
    assert one.page() == Page(link="http://x/?page=2&since=0")
    turn(one, link=None)
    assert one.over


@pytest.mark.parametrize("circle", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_circle_is_noticed(circle: list[str]) -> None:
    """The sweep ends as a failure, and what it was begun with stays."""
    one = sweep(TokenPages(from_="next"), SINCE, stored="5")
    for token in circle:
        assert not one.over
        turn(one, token=token, cursor="99")
    assert one.over
    assert "circle" in (one.trouble or "")
    assert one.stored() == "5"


def test_sweep_reads_no_more_than_max_pages() -> None:
    """A list that never ends, ends; a cursor goes on from there the next time."""
    endless = sweep(NumberedPages(max_pages=3))
    begun = sweep(NumberedPages(max_pages=3), SINCE)
    for one in (endless, begun):
        for _ in range(3):
            assert not one.over
            turn(one, 10, cursor="7")
        assert (one.over, one.cut) == (True, True)
    again = sweep(NumberedPages(max_pages=3), SINCE, stored=begun.stored())
    assert again.page().params == {"page": "4", "since": "0"}
    assert sweep(NumberedPages(max_pages=3), stored=endless.stored()).page().params == {"page": "1"}


def test_same_page_again_ends_the_list() -> None:
    """A provider that does not know of pages gives its list once more: it counts once."""
    one = sweep("page", SINCE)
    assert not one.repeats(b"[1]")
    turn(one, 1, cursor="8")
    assert one.repeats(b"[1]")
    assert (one.over, one.stored()) == (True, "8")
    tokens = sweep(TokenPages(from_="next"))
    assert not tokens.repeats(b"[1]")
    assert not tokens.repeats(b"[1]")


def test_404_behind_the_first_page_ends_the_list() -> None:
    """So say many providers that there are no more; of the first page it is an error."""
    first = sweep("page", SINCE)
    assert not first.failed(404)
    turn(first, 5, cursor="5")
    assert not first.failed(500)
    assert first.failed(404)
    assert (first.over, first.stored()) == (True, "5")
    token = sweep(TokenPages(from_="next"))
    turn(token, token="a")
    assert not token.failed(404)


def test_cursor_without_pages_moves_with_each_answer() -> None:
    """``initial`` until something is known; null keeps what is known."""
    one = sweep(None, SINCE)
    assert one.page().params == {"since": "0"}
    turn(one, cursor=None)
    assert one.stored() is None
    one = sweep(None, SINCE, stored=one.stored())
    assert one.page().params == {"since": "0"}
    turn(one, cursor="5")
    assert one.stored() == "5"
    one = sweep(None, SINCE, stored="5")
    assert one.page().params == {"since": "5"}
    turn(one, cursor=None)
    assert one.stored() == "5"
    assert sweep(None, Cursor(param="since", from_="x")).page() == Page()
    assert sweep(None, Cursor(param="since", from_="x", initial=True)).page().params == {"since": "true"}


@pytest.mark.parametrize("named", [["30", "20", "10"], ["10", "20", "30"], ["20", None, "30"]])
def test_cursor_moves_at_the_end_of_the_list_to_the_farthest_place(named: list[str | None]) -> None:
    """Newest first or oldest first: each page is asked with the old one, and the new one is the greatest."""
    pages = NumberedPages(size=1)
    stored: Any = "5"
    for number, cursor in enumerate(named, start=1):
        # As after a crash behind each page: nothing lives on but what was stored.
        one = sweep(pages, SINCE, stored=stored)
        assert one.page().params == {"page": str(number), "per_page": "1", "since": "5"}
        turn(one, 1, cursor=cursor)
        assert not one.over
        stored = one.stored()
    one = sweep(pages, SINCE, stored=stored)
    turn(one, 0, cursor=None)
    assert (one.over, one.stored()) == (True, "30")


def test_initial_of_a_list_that_was_begun_stays() -> None:
    """The pages of one list are asked with one cursor, even if the settings say another by now."""
    one = sweep("page", SINCE)
    turn(one, 1, cursor="3")
    other = Cursor(param="since", from_="x", initial=1000)
    assert sweep("page", other, stored=one.stored()).page().params == {"page": "2", "since": "0"}


@pytest.mark.parametrize(
    ("pages", "page", "status", "begun_anew"),
    [
        (TokenPages(from_="next"), "t", 400, True),
        (TokenPages(from_="next"), "t", 410, True),
        (TokenPages(from_="next"), "t", 200, True),
        (TokenPages(from_="next"), "t", 500, False),
        (TokenPages(from_="next"), "t", 429, False),
        (TokenPages(from_="next"), "t", None, False),
        (LinkedPages(), "http://x/2", 404, True),
        (NumberedPages(), 3, 422, True),
        (NumberedPages(), 3, 200, False),
    ],
)
def test_remembered_page_that_is_not_known_any_more_begins_the_list_anew(
    pages: Any, page: Any, status: int | None, begun_anew: bool
) -> None:
    """Tokens grow old; the cursor is the one the list began with, so nothing is lost. Other trouble is waited out."""
    stored = {"cursor": "5", "seen": "9", "page": page, "number": 2}
    one = sweep(pages, SINCE, stored=stored)
    assert not one.failed(status)
    assert one.stored() == ("5" if begun_anew else stored)
    one = sweep(pages, SINCE, stored=stored)
    one.failed(None, unaskable=True)
    assert one.stored() == "5"
    # A page that was reached in this very poll is not old.
    one = sweep(pages, SINCE, stored="5")
    turn(one, 1, token="t", link="http://x/2")
    before = one.stored()
    one.failed(400)
    assert one.stored() == before


def test_page_of_other_pages_is_not_resumed() -> None:
    """A number is no token, and without pagination there is no page at all."""
    stored = {"cursor": "5", "page": 3}
    assert sweep(TokenPages(from_="next"), SINCE, stored=stored).page().params == {"since": "5"}
    assert sweep(None, SINCE, stored=stored).page().params == {"since": "5"}
    assert sweep("page", SINCE, stored={"cursor": "5", "page": "t"}).page().params == {"since": "5", "page": "1"}


def test_elements_are_those_of_the_mapping_or_of_the_one_list() -> None:
    """A page without a mapping is counted where there is no doubt."""
    assert count_elements({"a": [1, 2], "b": [3]}, [1, 2, 3]) == 3
    assert count_elements([1, 2], None) == 2
    assert count_elements({"data": [1], "meta": {"list": [1]}}, None) == 1
    for document in ({"a": [1], "b": []}, {"a": 1}, 5, None):
        with pytest.raises(PayloadRefused, match=r"\[connectors\.items\]"):
            count_elements(document, None)


def test_digests_are_kept_page_by_page() -> None:
    """In their order, and no longer than the list."""
    a, b, c = b"a" * 32, b"b" * 32, b"c" * 32
    both = with_page_digest(with_page_digest(None, 0, a, last=False), 1, b, last=True)
    assert (page_digest(both, 0), page_digest(both, 1), page_digest(both, 2)) == (a, b, b"")
    assert with_page_digest(both, 0, c, last=False) == c + b
    assert with_page_digest(both, 0, c, last=True) == c
    assert page_digest(with_page_digest(None, 2, c, last=True), 2) == c
    assert page_digest(None, 0) == b""
