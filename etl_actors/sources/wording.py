"""Makes text of strangers fit to be shown: one line, nothing that is not printable, a bounded length."""

from __future__ import annotations

import unicodedata

SHOWN_CHARACTERS = 200


def one_line(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """``text`` on one line, without control and formatting characters, at most ``limit`` characters long."""
    # Twenty times what is shown leaves room for white space, and bounds the work.
    spaced = "".join(" " if letter.isspace() else letter for letter in text[: limit * 20])
    # C* are the control, format (bidirectional overrides among them), surrogate and unassigned characters.
    printable = "".join(letter for letter in spaced if not unicodedata.category(letter).startswith("C"))
    line = " ".join(printable.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
