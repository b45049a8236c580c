"""The rows of CSV text, with every bad one reported and no good one lost.

Python's parser is strict here and stops at what cannot be meant: a quote that opens and is never closed swallows what
follows until another quote ends it too early. Then only the line with the first quote is given up, and the ones behind
it are parsed again. That is linear: a line's quotes are either even, and it ends as it began, or odd, and end the run.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from .lines import Lines
from .rows import MAX_ROW_CHARS, RowRefused

# The limit is the module's own and global. Rows are bounded before they come to it; it must only not be lower.
csv.field_size_limit(MAX_ROW_CHARS + 1)


class Dialect(Struct, frozen=True):
    """``quote`` is "" where quotes mean nothing; ``escape`` is "" where a quote is written twice."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""

    def options(self) -> dict[str, Any]:
        """For :func:`csv.reader`. Strict: what cannot be meant is an error of its row, never mended in silence."""
        if not self.quote:
            return {"delimiter": self.delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None, "strict": True}
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote,
            "doublequote": not self.escape,
            "escapechar": self.escape or None,
            "strict": True,
        }


def read_rows(lines: Lines, dialect: Dialect, refuse: Callable[[int, RowRefused], None]) -> Iterator[list[str]]:
    """The cells of each row that is not blank; ``refuse(line, why)`` is told of those that cannot be parsed.

    ``lines.first`` is the line of the row that was yielded last.
    """
    reader = csv.reader(lines, **dialect.options())
    while True:
        lines.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            lines.put_back()
            refuse(lines.first, RowRefused(_meaning(error)))
        except RowRefused as error:
            lines.put_back()
            refuse(lines.first, error)
        else:
            if cells:
                yield cells


def _meaning(error: csv.Error) -> str:
    said = str(error)
    if "unexpected end of data" in said:
        return "opens a quote that is never closed"
    if "expected after" in said:
        return "has a quote that is not closed, or a cell that goes on behind its closing quote"
    if "new-line character" in said:
        return "has a line break in a cell that is not quoted"
    return f"cannot be parsed: {said}"
