"""The terms that several tables of a connector share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Scalar = str | int | float | bool
# An empty expression would select nothing and look like a mapping; an endless one takes seconds to compile.
Expression = Annotated[str, Meta(min_length=1, max_length=4_096)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]


def scalar_text(value: Scalar) -> str:
    """``value`` as a query carries it; booleans as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
