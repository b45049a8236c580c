"""The shapes of pages of items and of responses."""

from __future__ import annotations

from msgspec import UNSET, Struct

from ...wire import ItemRow, ResponseRow
from .paging import Count, Exact, Next, Total


class ItemsAnswer(Struct, kw_only=True):
    """A page of items."""

    items: list[ItemRow]
    total: Total
    total_exact: Exact = UNSET
    limit: Count
    offset: Count
    next: Next


class ResponsesAnswer(Struct, kw_only=True):
    """A page of responses."""

    data: list[ResponseRow]
    total: Total
    total_exact: Exact = UNSET
    limit: Count
    offset: Count
    next: Next
