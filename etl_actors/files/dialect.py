"""How a CSV file is delimited and quoted: the way in which most of its beginning has the shape of its first row.

Python's own sniffer and clevercsv were tried on the cases of ``tests/files/test_dialect.py`` and on hostile ones. The
first takes cubic time on lone quotes; the second takes any character for a delimiter (a blank in prose, an ``&``) and
fails on some plain files. What is left when only four delimiters are thinkable is counting, and counting is linear.

Quotes are double ones, doubled to be meant, as RFC 4180 has it, unless the sample makes no sense that way and does in
another: a bad row must be reported, and not bend the rules for all others.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from ..errors import FileRefused
from .csv_reading import Dialect, read_rows
from .lines import Lines
from .rows import RowRefused

SAMPLE_CHARS = 65_536
DELIMITERS = (",", "\t", ";", "|")
NAMED = {"comma": ",", "tab": "\t", "\\t": "\t", "semicolon": ";", "pipe": "|", "space": " ", "colon": ":"}
# How much of the sample another quoting must put right.
CONVINCING = 0.4

_OTHER_BACKSLASH = re.compile(r'\\(?!["\\])')

Score = tuple[bool, float]


def delimiter_named(text: str) -> str:
    """A delimiter as callers write it: itself, or ``tab``, ``comma``, ``semicolon``, ``pipe``."""
    delimiter = NAMED.get(text.strip().lower(), text)
    if len(delimiter) != 1 or delimiter in '"\r\n\0' or "\ud800" <= delimiter <= "\udfff":
        must = "must be one character, or tab, comma, semicolon or pipe"
        raise FileRefused(f"delimiter {must}", places=(("delimiter", must),))
    return delimiter


def detect_dialect(sample: str, *, whole: bool, delimiter: str | None = None, likely: str = ",") -> Dialect:
    """The dialect of a file that begins with ``sample`` (all of it when ``whole``).

    ``delimiter`` settles that part; ``likely`` is the one that wins a draw.
    """
    if not whole:
        cut = max(sample.rfind("\n"), sample.rfind("\r"))  # the last line may go on
        sample = sample[: cut + 1] or sample
    delimiters = [delimiter] if delimiter else [likely, *(one for one in DELIMITERS if one != likely)]
    usual, score = _best(sample, [Dialect(one) for one in delimiters])
    other, other_score = _best(sample, _others(sample, delimiters))
    if other.escape:
        # Nothing but quotes is escaped, and everything fits only so.
        return other if other_score > score and other_score[1] == 1 else usual
    return other if other_score[0] and other_score[1] - score[1] >= CONVINCING else usual


def _others(sample: str, delimiters: list[str]) -> list[Dialect]:
    if '\\"' in sample and not _OTHER_BACKSLASH.search(sample):
        return [Dialect(one, '"', "\\") for one in delimiters]
    others = [Dialect(one, "'") for one in delimiters if "'" in sample]
    # Only tab-separated files may have no quotes by their own definition.
    return others + [Dialect("\t", "") for one in delimiters if one == "\t" and '"' in sample]


def _best(sample: str, dialects: Iterable[Dialect]) -> tuple[Dialect, Score]:
    best, best_score = Dialect(), (False, -1.0)
    for dialect in dialects:
        score = _score(sample, dialect)
        if score > best_score:
            best, best_score = dialect, score
    return best, best_score


def _score(sample: str, dialect: Dialect) -> Score:
    """Whether there is more than one column, and how large a part of the rows is as wide as the first."""
    refused: list[int] = []

    def refuse(line: int, error: RowRefused) -> None:
        refused.append(line)

    width, fitting, rows = 0, 0, 0
    for cells in read_rows(Lines(io.StringIO(sample, newline="")), dialect, refuse):
        width = width or len(cells)
        rows += 1
        fitting += len(cells) == width
    rows += len(refused)
    return (width > 1, round(fitting / rows, 3) if rows else 0.0)
