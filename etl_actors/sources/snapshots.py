"""Fetches the whole order book of a key: the same guarded exchange as every poll, without credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

import httpx

from ..errors import PollFailed
from ..messages import Checkpoint
from ..settings import ConnectorSettings, Snapshot
from ..settings.sequence import KEY
from ..settings.service import Upstream
from .rest import RestSource


class SnapshotSource:
    """Asks ``snapshot.url``. ``observe`` sees the headers of every answer, whatever its status."""

    def __init__(
        self,
        connector_id: str,
        snapshot: Snapshot,
        client: httpx.AsyncClient,
        upstream: Upstream,
        *,
        observe: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self._connector_id = connector_id
        self._snapshot = snapshot
        self._client = client
        self._upstream = upstream
        self._observe = observe

    async def fetch(self, key: str) -> bytes:
        """The body of the answer; PollFailed when there is none.

        The key comes from the provider, so nothing in it has a meaning in a url.
        """
        if not key.strip("."):
            raise PollFailed(f"the key {key!r} cannot be asked for")  # a dot stays a dot, and leads up in a path
        asking = ConnectorSettings(
            connector_id=self._connector_id,
            url=self._snapshot.url.replace(KEY, quote(key, safe="")),
            timeout_seconds=self._snapshot.timeout_seconds,
        )
        source = RestSource(asking, self._client, self._upstream, observe=self._observe)
        reading = await source.poll(Checkpoint())
        assert reading is not None  # nothing was said to be known, so nothing can be unchanged
        return reading.body
