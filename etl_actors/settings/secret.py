"""A string that must not be seen: it prints as ``***`` wherever it goes; only :meth:`Secret.reveal` gives it out."""

from __future__ import annotations

from typing import Any

MASK = "***"


class Secret:
    """Holds one secret text. Empty means "not given"; truthiness tells the two apart."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})" if self._text else "Secret('')"

    def __str__(self) -> str:
        return MASK if self._text else ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))


def decode_secret(kind: type, value: Any) -> Any:
    """msgspec's ``dec_hook``: a secret arrives as a plain string."""
    if kind is Secret:
        if not isinstance(value, str):
            raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
        return Secret(str(value))
    raise NotImplementedError(f"no decoder for {kind}")


def encode_masked(value: Any) -> Any:
    """msgspec's ``enc_hook``: a secret leaves as its mask."""
    if isinstance(value, Secret | str):  # a str of another class: what came from the environment
        return str(value)
    raise NotImplementedError(f"no encoder for {type(value)}")
