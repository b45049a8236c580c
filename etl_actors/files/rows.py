"""What reading a file yields: rows, and the places where there was none to be had.

One bad row never costs the good ones: it is reported with the line it begins in, and reading goes on. The reports are
kept up to a bound; their count is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct

from ..errors import FileRefused

REPORTED_ROWS = 100
# One row, in characters. Bounds what reading holds, and how long one call of a decoder keeps the other threads waiting.
MAX_ROW_CHARS = 4_194_304
MAX_COLUMNS = 2_000
MAX_NAME_CHARS = 255
PULSE_ROWS = 1_000


class BadRow(Struct, frozen=True):
    """A place that holds no row: the line it begins in (from 1), and why."""

    line: int
    message: str


class RowRefused(Exception):
    """This row cannot be kept. ``malformed``: it could not even be parsed."""

    def __init__(self, message: str, *, malformed: bool = False) -> None:
        self.malformed = malformed
        super().__init__(message)


class BadRows:
    """Counts bad rows and keeps the first of them. ``malformed``: the first one could not even be parsed.

    ``pulse`` is called now and then, so that whoever waits for a good row can give up; it may raise.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BadRow] = []
        self.malformed = False
        self.pulse: Callable[[], None] = _go_on

    def add(self, line: int, error: RowRefused) -> None:
        """One more."""
        if not self.count:
            self.malformed = error.malformed
        self.count += 1
        if self.count % PULSE_ROWS == 0:
            self.pulse()
        if len(self.first) < REPORTED_ROWS:
            self.first.append(BadRow(line, str(error)))

    def report(self) -> dict[str, Any]:
        """``{"count", "first": [{"line", "message"}]}``."""
        return {"count": self.count, "first": [{"line": one.line, "message": one.message} for one in self.first]}

    def refusal(self) -> FileRefused:
        """Why a file is refused in which no row is good."""
        what = f"not one of its {self.count:,} rows can be kept" if self.count > 1 else "its only row cannot be kept"
        first = self.first[0]
        return FileRefused(
            f"{what}; line {first.line}: {first.message}",
            parsed=not self.malformed,
            places=tuple((f"line {one.line}", one.message) for one in self.first),
        )


class Table(Protocol):
    """A file as rows. ``columns`` are the names in the file, complete once the rows were read."""

    @property
    def file_type(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def delimiter(self) -> str | None: ...
    @property
    def columns(self) -> list[str]: ...
    @property
    def bad(self) -> BadRows: ...

    def documents(self) -> Iterator[bytes]:
        """Each row as the JSON object that is stored: texts and numbers exactly as they stand in the file."""

    def records(self) -> Iterator[Mapping[str, Any]]:
        """Each row as values by column; cells of CSV are texts."""


def _go_on() -> None: ...
