"""Places in a decoded document, as the decoder names them: ``connectors[0].auth.token``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_PART = re.compile(r"\.?[^.\[\]]+|\[[^\]]*\]")


def locate(document: Any, path: str) -> tuple[Any, Any]:
    """The container that holds the value at ``path`` and its key there; (None, None) when it is not there."""
    keys: list[str | int] = [
        int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", path)
    ]
    node = document
    try:
        for key in keys[:-1]:
            node = node[key]
        if keys:
            _ = node[keys[-1]]
            return node, keys[-1]
    except (KeyError, IndexError, TypeError):
        pass
    return None, None


def cut_out(document: Any, path: str) -> bool:
    """Take away what is at ``path``; False where that is part of a list, whose other places would move."""
    parent, key = locate(document, path)
    if isinstance(parent, dict):
        del parent[key]
        return True
    return False


def places_above(path: str) -> Iterator[str]:
    """Everything that ``path`` is in, the nearest first."""
    parts = _PART.findall(path)
    return ("".join(parts[:length]).lstrip(".") for length in range(len(parts) - 1, 0, -1))
