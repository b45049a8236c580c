"""The digests of a list's pages, 32 bytes each, in their order: how an unchanged page is known. Pure."""

from __future__ import annotations


def page_digest(digests: bytes | None, number: int) -> bytes:
    """The digest of a page out of those of all pages; empty when there is none."""
    return (digests or b"")[32 * number : 32 * (number + 1)]


def with_page_digest(digests: bytes | None, number: int, digest: bytes, *, last: bool) -> bytes:
    """``digests`` with that of one page in its place; those behind the ``last`` page are forgotten."""
    known = digests or b""
    before = known[: 32 * number].ljust(32 * number, b"\0")
    return before + digest + (b"" if last else known[32 * (number + 1) :])
