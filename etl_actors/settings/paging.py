"""How one poll may take several requests (``pagination``), and how the next begins where it ended (``cursor``)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from .terms import Expression, Name, Scalar


class _Pages(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One poll asks for at most ``max_pages`` pages."""

    max_pages: Annotated[int, Meta(ge=1, le=10_000)] = 100


class _SizedPages(_Pages, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``size`` is sent as ``size_param``; without it the provider's own size is left alone."""

    size: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class NumberedPages(_SizedPages, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="page"):
    """Pages with numbers. The last is the first that has fewer elements than ``size``, or none."""

    param: Name = "page"
    start: Annotated[int, Meta(ge=0)] = 1
    size_param: Name = "per_page"


class OffsetPages(_SizedPages, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="offset"):
    """Pages that begin behind so many elements. The last is the first that has fewer than ``size``, or none."""

    param: Name = "offset"
    start: Annotated[int, Meta(ge=0)] = 0
    size_param: Name = "limit"


class TokenPages(_SizedPages, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cursor"):
    """Pages that name the next one: JMESPath tells where in the answer; null, empty or false ends.

    Without ``from`` the connector's own ``cursor`` leads on, until it does not move any more; ``param`` is not sent.
    """

    from_: Expression | None = field(name="from", default=None)
    param: Name = "cursor"
    size_param: Name = "limit"


class LinkedPages(_Pages, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="link_header"):
    """Pages whose ``Link`` header (RFC 8288) leads to the next one."""


Pages = NumberedPages | OffsetPages | TokenPages | LinkedPages
PagesWord = Literal["page", "offset", "cursor", "link_header"]
_BARE: dict[str, Pages] = {
    "page": NumberedPages(),
    "offset": OffsetPages(),
    "cursor": TokenPages(),
    "link_header": LinkedPages(),
}


def pages_of(pagination: Pages | PagesWord | None) -> Pages | None:
    """The table that ``pagination`` is, or stands for."""
    return _BARE[pagination] if isinstance(pagination, str) else pagination


class Cursor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider is asked to begin after: sent as ``param``, read from each answer, committed with its data.

    ``from`` is JMESPath over the answer; null keeps what is known. ``initial`` is sent until something is known;
    without it nothing is.
    """

    param: Name
    from_: Expression = field(name="from")
    initial: Scalar | None = None
