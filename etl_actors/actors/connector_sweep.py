"""The pages of one poll: which to ask for, when the list is over, and what may be remembered after each. Pure.

A poll without pagination is a sweep of one page.

**When the cursor moves.** Every page of a list is asked for with the cursor that the list was begun with, because the
numbers, offsets, tokens and links of its pages mean something for that list only. What the pages name as the next
cursor is gathered aside (``seen``) and becomes the cursor with the last page, not before: lists run newest first as
often as oldest first, and the first page of the former names the end of everything, so that a restart which believed it
would never see the other pages. The place within the list is committed with each page instead. After a crash the sweep
continues with the page behind the last committed one: nothing is lost, and nothing is read twice, unless the provider
moved rows from page to page meanwhile (newest first, new rows push old ones onto the next page: those are read again,
never skipped). A sweep that ends early, by an error or at ``max_pages``, is continued by the next poll in the same way.

Where the cursor itself leads from page to page (``pagination = "cursor"`` without a ``from``), each page is the list of
what comes after the one before, and the cursor moves with each.

Without a cursor each poll is a picture of the whole list, so an interrupted sweep begins again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from ..errors import PayloadRefused
from ..messages import Onward, Page
from ..settings import ConnectorSettings, LinkedPages, NumberedPages, OffsetPages, TokenPages
from ..settings.paging import pages_of
from ..settings.terms import scalar_text
from .connector_place import Place, farther, read_place, stored_place

# What says that there is no such page, or not any more. A token or link that is too old may also be told of with a 200.
_NO_SUCH_PAGE = frozenset({400, 404, 410, 422})
_TOO_OLD = _NO_SUCH_PAGE | {200}


class Sweep:
    """One poll's way through the pages. ``trouble`` says after the last one why the list could not be read on."""

    def __init__(self, connector: ConnectorSettings, stored: Any) -> None:
        self._pages = pages_of(connector.pagination)
        self._cursor = connector.cursor
        self._stored = stored
        place = read_place(stored) if self._cursor is not None else Place()
        if not self._may_resume(place):
            place = Place(cursor=place.cursor)
        if place.cursor is None and self._cursor is not None and self._cursor.initial is not None:
            self._asked: str | None = scalar_text(self._cursor.initial)
        else:
            self._asked = place.cursor
        self._place = place
        self._resumed = place.page is not None
        self._leads = isinstance(self._pages, TokenPages) and self._pages.from_ is None
        self._visited: set[int | str | None] = {self._asked if self._leads else place.page}
        self._last_body: bytes | None = None
        self.pages_read = 0
        self.over = False
        self.cut = False
        self.trouble: str | None = None

    @property
    def in_pages(self) -> bool:
        """Whether the list comes in pages."""
        return self._pages is not None

    @property
    def counts(self) -> bool:
        """Whether the end of the list is told by how many elements a page has."""
        return isinstance(self._pages, NumberedPages | OffsetPages)

    @property
    def reads_on(self) -> bool:
        """Whether the document itself says what comes after it."""
        return self._cursor is not None or isinstance(self._pages, TokenPages)

    @property
    def number(self) -> int:
        """How many pages of the list come before the one that is due."""
        return self._place.number

    def page(self) -> Page:
        """What to ask for now."""
        params = {}
        if self._cursor is not None and self._asked is not None:
            params[self._cursor.param] = self._asked
        pages, place = self._pages, self._place.page
        if isinstance(pages, LinkedPages):
            return Page(params=params) if place is None else Page(link=str(place))
        if pages is not None:
            if isinstance(pages, NumberedPages | OffsetPages) and place is None:
                place = pages.start
            if place is not None:
                params[pages.param] = str(place)
            if pages.size is not None:
                params[pages.size_param] = str(pages.size)
        return Page(params=params)

    def stored(self) -> Any:
        """What the checkpoint remembers by now."""
        if self._cursor is None:
            return self._stored
        return stored_place(self._place)

    def repeats(self, body: bytes) -> bool:
        """Whether ``body`` is the page before once more: so answers who has no such page, or does not know of pages.

        The list ended before it, then.
        """
        if not self.counts:
            return False
        digest = hashlib.sha256(body).digest()
        same, self._last_body = digest == self._last_body, digest
        if same:
            self._end()
        return same

    def turn(self, elements: int, onward: Onward, link: str | None) -> None:
        """The page was read: it has so many ``elements``, and says what is ``onward``, in itself or by its ``link``."""
        self.pages_read += 1
        seen = farther(self._place.seen, onward.cursor)
        following = self._following(elements, onward, link)
        if following is None:
            self._end(None if self._leads else seen)
            return
        if following in self._visited:
            self.trouble = "the provider names a page as the next one that was read already: its pages go in a circle"
            self._place = Place(cursor=self._place.cursor)
            self.over = True
            return
        self._visited.add(following)
        number = self._place.number + 1
        if self._leads:
            self._asked = onward.cursor
            self._place = Place(cursor=self._asked, number=number)
        else:
            self._place = Place(cursor=self._asked, seen=seen, page=following, number=number)
        pages = self._pages
        self.over = self.cut = pages is not None and self.pages_read >= pages.max_pages

    def failed(self, status: int | None, *, unaskable: bool = False) -> bool:
        """The page that is due brought nothing but ``status``, or is ``unaskable``; whether that only means that the
        list is over.

        A place that was remembered and is not known to the provider any more is given up: the list is begun anew, with
        the cursor it was begun with.
        """
        if status == 404 and self._place.page is not None and self.counts:
            self._end()
            return True
        unknown = unaskable or status in (_NO_SUCH_PAGE if self.counts else _TOO_OLD)
        if unknown and self._resumed and self.pages_read == 0:
            self._place = Place(cursor=self._place.cursor)
        return False

    def _end(self, seen: str | None = None) -> None:
        seen = seen if seen is not None else self._place.seen
        self._place = Place(cursor=seen if seen is not None else self._place.cursor)
        self.over = True

    def _following(self, elements: int, onward: Onward, link: str | None) -> int | str | None:
        match self._pages:
            case None:
                return None
            case TokenPages() if self._leads:
                return None if onward.cursor == self._asked else onward.cursor
            case TokenPages():
                return onward.next_page
            case LinkedPages():
                return link
            case NumberedPages() | OffsetPages() as pages:
                if elements < (pages.size or 1):
                    return None
                here = self._place.page if isinstance(self._place.page, int) else pages.start
                return here + (1 if isinstance(pages, NumberedPages) else elements)

    def _may_resume(self, place: Place) -> bool:
        """Whether ``place`` was remembered of such pages."""
        wanted = int if isinstance(self._pages, NumberedPages | OffsetPages) else str
        return place.page is None or (self._pages is not None and isinstance(place.page, wanted))


def count_elements(document: Any, mapped: Sequence[Any] | None) -> int:
    """How many elements a page has: those that are ``mapped``, or the one list that ``document`` is or holds."""
    if mapped is not None:
        return len(mapped)
    if isinstance(document, list):
        return len(document)
    lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
    if len(lists) != 1:
        raise PayloadRefused(
            "pagination: it cannot be told how many elements this page has; name them in [connectors.items] each"
        )
    return len(lists[0])
