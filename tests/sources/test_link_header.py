"""RFC 8288, as far as pages need it."""

from __future__ import annotations

import pytest

from etl_actors.sources.link_header import next_target


@pytest.mark.parametrize(
    ("header", "target"),
    [
        (None, None),
        ("", None),
        ('<https://a/?p=2>; rel="next"', "https://a/?p=2"),
        ("</x>;rel=next", "/x"),
        ("<?page=2> ; rel = NEXT", "?page=2"),
        ('<a>; rel="prev", <b>; rel="next", <c>; rel="last"', "b"),
        ('<a>; rel="last next"', "a"),
        ('<a>; title="one, two; <b>; rel=next"; rel="prev", <c>; rel="next"', "c"),
        ('<a>; title="a \\" quote"; rel="next"', "a"),
        ("</x?a=1,2;3>; rel=next", "/x?a=1,2;3"),
        ('<a>; rel="prev"; rel="next"', None),
        ('<a>; rel="next"; anchor="#other", <b>; rel="next"', "b"),
        ('<a>; rel="nextpage"', None),
        ("<a>; rev=next", None),
        ("<a>; crossorigin; rel=next", "a"),
        ("no link at all", None),
        ("<unclosed; rel=next", None),
    ],
)
def test_next_is_found(header: str | None, target: str | None) -> None:
    """The first link whose relation is next, whatever stands around it."""
    assert next_target(header) == target


@pytest.mark.parametrize("header", ["<" * 60_000, "<a>" + ";x" * 30_000, '<a>;t="' + "\\" * 60_000, "<a>;" * 15_000])
def test_hostile_header_is_harmless(header: str) -> None:
    """Nothing found, and found quickly: a slow pattern would not come back from these."""
    assert next_target(header) is None
