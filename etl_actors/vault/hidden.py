"""Bytes that must not be seen, and the one text form they have outside: ``base64:`` and the bytes in base64.

A key passes through few hands, and each of them may end up in a traceback that prints local variables; so it travels
wrapped from the moment it is read. The text form is the same in ``ENCRYPTION_KEY`` and in the key file, so that the
content of a key file can be given as ``ENCRYPTION_KEY`` when a service moves.
"""

from __future__ import annotations

import base64
import secrets

PREFIX = "base64:"
_STANDARD = str.maketrans("-_", "+/")


class Hidden:
    """Holds bytes; prints as ``***``; only :meth:`reveal` gives them out. Cannot be pickled."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def reveal(self) -> bytes:
        """The bytes themselves, for the one place that computes with them."""
        return self._raw

    def text(self) -> str:
        """The form that :func:`parse` reads; as secret as the bytes."""
        return PREFIX + base64.b64encode(self._raw).decode("ascii")

    def __repr__(self) -> str:
        return "Hidden('***')"

    def __reduce__(self) -> str:
        raise TypeError("hidden bytes cannot be pickled")


def fresh(size: int) -> Hidden:
    """Fresh bytes from the operating system."""
    return Hidden(secrets.token_bytes(size))


def parse(text: str, *, size: int) -> Hidden | None:
    """The ``size`` bytes that ``text`` stands for (URL-safe or unpadded base64 too), or None when it is no such text.

    It returns None and does not raise, because the frames of an exception would keep the text.
    """
    text = text.strip()
    if not text.startswith(PREFIX):
        return None
    body = text.removeprefix(PREFIX).strip().rstrip("=").translate(_STANDARD)
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError:  # not base64
        return None
    return Hidden(raw) if len(raw) == size else None
