"""Text, line by line, with its line numbers; no line longer than a row may be."""

from __future__ import annotations

from collections import deque
from typing import TextIO

from .rows import MAX_ROW_CHARS, RowRefused


class Lines:
    """The lines of a file, for a parser that takes several for one row and may have to put some back.

    ``begin`` starts a row; :meth:`__next__` hands out its lines; ``first`` is the number of its first one (from 1).
    """

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._chars = 0
        self.first = 1

    def begin(self) -> None:
        """What was taken is done with."""
        self.first += len(self._taken)
        self._taken.clear()
        self._chars = 0

    def put_back(self) -> None:
        """Give the row up, and only its first line with it: the ones after it are handed out again."""
        self._again.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._read()
        self._taken.append(line)
        self._chars += len(line)
        if self._chars > MAX_ROW_CHARS:
            raise RowRefused(f"is longer than {MAX_ROW_CHARS:,} characters, or opens a quote that is never closed")
        return line

    def _read(self) -> str:
        line = self._text.readline(MAX_ROW_CHARS + 1)
        if not line:
            raise StopIteration
        if len(line) > MAX_ROW_CHARS:
            # The rest of an endless line is not kept, only its being too long.
            rest = line
            while rest and rest[-1] not in "\r\n":
                rest = self._text.readline(MAX_ROW_CHARS)
        return line
