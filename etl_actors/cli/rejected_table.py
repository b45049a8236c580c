"""Rejected payloads as people read them: a table, or one of them whole. Pure."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from .bar import count_of

COLUMNS = ("id", "connector", "received", "what", "size", "config", "reason")
CHANGED = {True: "changed", False: "same", None: "-"}
SHORTEST_REASON = 30


def lines(found: Sequence[dict[str, Any]], *, width: int | None = None) -> Iterator[str]:
    """A table; the reason takes what is left of the terminal's ``width``."""
    from ..client.answers import printable

    if not found:
        yield "nothing is rejected"
        return
    rows = [[printable(cell) for cell in _cells(one)] for one in found]
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows, strict=True)]
    columns = _columns() if width is None else width
    left = max(columns - sum(widths[:-1]) - 2 * (len(COLUMNS) - 1), SHORTEST_REASON)
    for row in (list(COLUMNS), *rows):
        reason = row[-1] if len(row[-1]) <= left else row[-1][: left - 1] + "…"
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        yield "  ".join([*cells, reason]).rstrip()


def described(one: dict[str, Any]) -> Iterator[str]:
    """One of them: what is known of it, and what was received."""
    from ..client.answers import printable

    for name, value in (
        ("id", str(one["id"])),
        ("connector", one["connector_id"]),
        ("what", _what(one)),
        ("received", one["timestamp"]),
        ("reason", one["reason"]),
        ("config", CHANGED[one["config_changed"]]),
        ("size", count_of(one["size"], "bytes")),
    ):
        yield f"{name + ':':<11}{printable(value)}"
    yield ""
    if one["encoding"] != "utf-8":
        yield "(it is no text; this is base64, and --raw writes its bytes)"
    # Its own lines are kept; what else would move a cursor is not.
    yield from (printable(line) for line in one["raw"].splitlines())
    if one["truncated"]:
        yield "… (--raw writes all of it)"


def _columns() -> int:
    """What a program reads is not cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _cells(one: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(one["id"]),
        one["connector_id"],
        one["timestamp"].partition(".")[0].removesuffix("Z") + "Z",
        _what(one),
        count_of(one["size"], "bytes"),
        CHANGED[one["config_changed"]],
        one["reason"],
    )


def _what(one: dict[str, Any]) -> str:
    return str(one["where"]) or f"a whole {one['kind']}"
