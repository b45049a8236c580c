"""A file as rows, in one call."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

from etl_actors.files.recognition import open_table
from etl_actors.files.rows import Table
from etl_actors.messages import DeclaredFile


def opened(content: bytes, **declared: Any) -> Table:
    """The table in ``content``."""
    return open_table(io.BytesIO(content), DeclaredFile(**declared))


def read(content: bytes, **declared: Any) -> tuple[list[dict[str, Any]], list[int]]:
    """The rows as they would be stored, and the lines of the bad ones."""
    table = opened(content, **declared)
    rows = [json.loads(row, parse_float=Decimal) for row in table.documents()]
    assert table.bad.count >= len(table.bad.first)
    return rows, [one.line for one in table.bad.first]
