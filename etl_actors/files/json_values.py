"""Cuts the values out of a JSON document as it streams by: the elements of its array, or values one after another.

Cutting needs no more than brackets and quotes, so that a value that is no JSON does not take the others with it. Only
when brackets themselves do not match is the rest of the document lost, and that is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TextIO

from .rows import MAX_ROW_CHARS, BadRows, RowRefused

CHUNK_CHARS = 65_536

_SPACE = " \t\n\r"
_STRUCTURE = re.compile(r'["{}\[\],]')
_NESTED = re.compile(r'["{}\[\]]')
_STRING_END = re.compile(r'["\\]')
# Most values in one step: containers within containers, a few levels of them. Possessive: no text makes it slow.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_CONTAINER = rf'[{{\[](?:[^{{}}\[\]"]++|{_STRING})*+[}}\]]'
for _ in range(3):
    _CONTAINER = rf'[{{\[](?:[^{{}}\[\]"]++|{_STRING}|{_CONTAINER})*+[}}\]]'
_SHALLOW = re.compile(_CONTAINER, re.DOTALL)


def split_values(text: TextIO, bad: BadRows) -> Iterator[tuple[int, str]]:
    """``(line, value)`` of each; ``text`` must have its line ends translated."""
    scanner = _Scanner(text)
    try:
        if scanner.peek() == "[":
            yield from _elements(scanner)
        else:
            yield from _sequence(scanner)
    except RowRefused as error:
        bad.add(scanner.line, error)


def _elements(scanner: _Scanner) -> Iterator[tuple[int, str]]:
    scanner.take(1)
    if scanner.peek() == "]":
        scanner.take(1)
    else:
        while True:
            scanner.peek()
            line, value = scanner.line, scanner.value()
            end = scanner.peek()
            if not end:
                if value.strip():
                    yield line, value.strip()
                raise RowRefused("the file ends before its array is closed", malformed=True)
            yield line, value.strip()
            scanner.take(1)
            if end == "]":
                break
    if scanner.peek():
        raise RowRefused("something follows the end of the array", malformed=True)


def _sequence(scanner: _Scanner) -> Iterator[tuple[int, str]]:
    while start := scanner.peek():
        line = scanner.line
        yield line, (scanner.container() if start in "{[" else scanner.rest_of_line())


class _Scanner:
    """A window on the text: what lies before ``_pos`` is done with. ``line`` is that of the place last peeked at."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._window = ""
        self._pos = 0
        self.line = 1

    def peek(self) -> str:
        """The next character that is not space; "" at the end."""
        while True:
            rest = len(self._window)
            place = self._pos
            while place < rest and self._window[place] in _SPACE:
                place += 1
            self._advance(place)
            if place < rest:
                return self._window[place]
            if not self._more():
                return ""

    def take(self, count: int) -> None:
        self._advance(self._pos + count)

    def value(self) -> str:
        """Up to the comma or the bracket that ends an element."""
        shallow = _SHALLOW.match(self._window, self._pos)
        if shallow:
            text = self._cut(shallow.end())
            if self.peek() in ",]":
                return text
            return text + self._until_end()
        return self._until_end()

    def container(self) -> str:
        """Up to the bracket that closes the one at this place."""
        shallow = _SHALLOW.match(self._window, self._pos)
        return self._cut(shallow.end()) if shallow else self._scan(stop_at_end=False)

    def rest_of_line(self) -> str:
        while (end := self._window.find("\n", self._pos)) < 0:
            if not self._more():
                return self._cut(len(self._window))
        return self._cut(end)

    def _until_end(self) -> str:
        return self._scan(stop_at_end=True)

    def _scan(self, *, stop_at_end: bool) -> str:
        place, depth, in_string = self._pos, 0, False
        while True:
            pattern = _STRING_END if in_string else _NESTED if depth else _STRUCTURE
            found = pattern.search(self._window, place)
            if found is None or (in_string and found[0] == "\\" and found.end() == len(self._window)):
                # Places count from the window's beginning, which moves when more is read.
                ahead = (found.start() if found else len(self._window)) - self._pos
                if not self._more():
                    return self._cut(len(self._window))
                place = self._pos + ahead
                continue
            mark, place = found[0], found.end()
            if in_string:
                place += mark == "\\"
                in_string = mark == "\\"
            elif mark == '"':
                in_string = True
            elif mark in "{[":
                depth += 1
            elif depth:
                depth -= 1
                if not depth and not stop_at_end:
                    return self._cut(place)
            elif stop_at_end and mark in ",]":
                return self._cut(place - 1)
            elif mark == "}":
                raise RowRefused("a bracket is closed that was never opened", malformed=True)

    def _cut(self, end: int) -> str:
        text = self._window[self._pos : end]
        self._advance(end)
        return text

    def _advance(self, place: int) -> None:
        self.line += self._window.count("\n", self._pos, place)
        self._pos = place

    def _more(self) -> bool:
        if len(self._window) - self._pos > MAX_ROW_CHARS:
            raise RowRefused(
                f"the value that begins here is longer than {MAX_ROW_CHARS:,} characters, or a bracket or quote in it"
                " is never closed; what follows could not be read",
                malformed=True,
            )
        chunk = self._text.read(CHUNK_CHARS)
        if chunk:
            self._window = self._window[self._pos :] + chunk
            self._pos = 0
        return bool(chunk)
