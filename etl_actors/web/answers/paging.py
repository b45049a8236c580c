"""What every page of rows says of itself."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, UnsetType

Count = Annotated[int, Meta(ge=0)]
Next = Annotated[str | None, Meta(description="The link to the next page; null on the last one.")]
Total = Annotated[int, Meta(ge=0, description="How many rows match; at least so many where `total_exact` is false.")]
Exact = Annotated[
    bool | UnsetType, Meta(description="False where `total` is a lower bound; left out where it is exact.")
]
