"""A list that grows while it is read, the connector that follows it by its cursor, and what lies in the tables."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import psycopg
import trio

from ..sources.providers import response

ROWS = """
[[connectors]]
connector_id = "rows"
url = "{url}/rows"
interval_seconds = 0.1
cursor = {{ param = "since", from = "max(rows[].id)", initial = 0 }}
[connectors.items]
each = "rows"
coin_symbol = "'ROW'"
[connectors.items.extra]
number = "id"
"""


class Rows:
    """A list that grows with every question; gives those after ``since``, ten at most."""

    def __init__(self) -> None:
        self.last = 0
        self.stopped = False

    async def script(self, stream: trio.SocketStream, head: bytes) -> None:
        since = int(dict(parse_qsl(urlsplit(head.split(b" ")[1].decode()).query))["since"])
        if not self.stopped:
            self.last = max(self.last, min(self.last + 5, since + 10))
        rows = [{"id": number} for number in range(since + 1, min(self.last, since + 10) + 1)]
        await stream.send_all(response(json.dumps({"rows": rows}).encode()))


class Stored:
    """What lies in the tables."""

    def __init__(self, conninfo: str) -> None:
        with psycopg.connect(conninfo) as connection:
            self.offsets = [
                row[0] for row in connection.execute("SELECT stream_offset FROM events ORDER BY stream_offset")
            ]
            self.ids = [
                row[0] for row in connection.execute("SELECT event_id::text FROM events ORDER BY stream_offset")
            ]
            query = "SELECT (extra ->> 'number')::bigint FROM api_connector_items WHERE connector_id = %s ORDER BY id"
            self.rows = [row[0] for row in connection.execute(query, ("rows",))]
            self.counted = [row[0] for row in connection.execute(query, ("counted",))]
            files = "SELECT filename, count(*) FROM files JOIN file_data d ON d.file_id = files.id GROUP BY files.id"
            self.files = [(name, many) for name, many in connection.execute(files)]
