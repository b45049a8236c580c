"""The doorkeeper: knows who may come in, from memory, and looks again every second.

A key that was revoked is forgotten at the next look, and whoever still holds a socket opened with it is told. A key
that memory does not know is looked up at once, so that one made a moment ago works. While the database is away, keys
that are known go on working, and of an unknown one nobody can say anything.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import structlog
import trio
from msgspec import Struct

from ..errors import StorageUnavailable
from ..keys import KEY_FORM, Caller, KeyRecord, digest_of

log = structlog.get_logger("doorkeeper")

EVERY_SECONDS = 1.0
# How long a look may take, and how long whoever shows an unknown key waits for one.
LOOK_SECONDS = 3.0
# The last use of a key is written down once in so long at most.
USE_SECONDS = 60.0
FIRST_KEY_ID = 0

_SILENT = f"PostgreSQL did not answer within {LOOK_SECONDS:g} s"


class Store(Protocol):
    """Where keys are kept."""

    async def active(self) -> list[KeyRecord]: ...
    async def note_uses(self, uses: Mapping[int, datetime]) -> None: ...


class Known(Struct, frozen=True):
    """A key that opens something."""

    caller: Caller
    digest: bytes
    expires_at: datetime | None = None

    def is_active(self) -> bool:
        """Whether it has not expired yet."""
        return self.expires_at is None or datetime.now(UTC) < self.expires_at


class Doorkeeper:
    """Recognises callers by their keys. ``first_key`` is the text of the key that no database holds."""

    def __init__(self, store: Store, *, first_key: str, every_seconds: float = EVERY_SECONDS) -> None:
        self._store = store
        self._every_seconds = every_seconds
        caller = Caller(scope="admin", key_id=FIRST_KEY_ID, name="first key")
        self._first = Known(caller, digest_of(first_key))
        # One that a person made up may be guessed, so it is compared only for those who may still try.
        self._first_is_random = KEY_FORM.fullmatch(first_key) is not None
        self._by_digest: dict[bytes, Known] = {}
        self._by_id: dict[int, Known] = {FIRST_KEY_ID: self._first}
        self._ended: dict[int, trio.Event] = {}
        self._looking = trio.Lock()
        self._begun = 0
        self._finished = 0
        self._look_began: float | None = None
        self._trouble: str | None = None
        self._used: dict[int, datetime] = {}
        self._noted: dict[int, datetime] = {}

    @property
    def trouble(self) -> str | None:
        """Why the database does not answer; None when it does, as far as the looks of every second can tell."""
        if self._look_began is not None and trio.current_time() - self._look_began > LOOK_SECONDS:
            return _SILENT
        return self._trouble

    def recognise_nowait(self, key: str) -> Caller | None:
        """Whose key this is, from memory; None when memory does not tell.

        Keys are found by their digest: what the time of that gives away of a digest is of no use to anybody who does
        not know the key. The comparison that decides takes the same time whatever it finds.
        """
        digest = digest_of(key)
        if self._first_is_random and hmac.compare_digest(digest, self._first.digest):
            return self._first.caller
        known = self._by_digest.get(digest)
        if known is None or not hmac.compare_digest(digest, known.digest) or not known.is_active():
            return None
        self._note_use(known)
        return known.caller

    async def recognise(self, key: str) -> Caller | None:
        """Whose key this is, asking the database too; None when it is nobody's. Raises ``StorageUnavailable``."""
        if hmac.compare_digest(digest_of(key), self._first.digest):
            return self._first.caller
        found = self.recognise_nowait(key)
        if found is None and KEY_FORM.fullmatch(key):
            with trio.move_on_after(LOOK_SECONDS) as scope:
                await self.look()
            if scope.cancelled_caught:
                raise StorageUnavailable(_SILENT)
            found = self.recognise_nowait(key)
        return found

    def known_nowait(self, key_id: int) -> tuple[Caller, bytes] | None:
        """The caller and the digest of an active key by its id: what a session of it is checked against."""
        known = self._by_id.get(key_id)
        if known is None or not known.is_active():
            return None
        self._note_use(known)
        return known.caller, known.digest

    async def wait_ended(self, caller: Caller) -> None:
        """Return once the key of ``caller`` was revoked or has expired; never for one that no key was asked of."""
        key_id = caller.key_id
        if key_id is None or key_id == FIRST_KEY_ID:
            await trio.sleep_forever()
        if key_id in self._by_id:
            await self._ended.setdefault(key_id, trio.Event()).wait()

    async def look(self) -> None:
        """Return when a look at the table that began after this call is over. Raises ``StorageUnavailable``."""
        wanted = self._begun + 1
        async with self._looking:
            if self._finished < wanted:  # else somebody else's look began after we asked
                self._begun += 1
                await self._look()
                self._finished = self._begun
            if self._trouble is not None:
                raise StorageUnavailable(self._trouble)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await trio.sleep(self._every_seconds)
            try:
                await self.look()
                await self._write_uses()
            except StorageUnavailable:
                self._tell_ended()

    async def _look(self) -> None:
        self._look_began = trio.current_time()
        try:
            records = await self._read()
        except StorageUnavailable as error:
            if self._trouble is None:
                log.warning("doorkeeper.keys_unreachable", error=str(error), known=len(self._by_digest))
            self._trouble = str(error)
            return
        finally:
            self._look_began = None
        if self._trouble is not None:
            log.info("doorkeeper.keys_reachable")
        self._trouble = None
        self._learn(records)

    async def _read(self) -> list[KeyRecord]:
        """A server that hangs says nothing by itself, so its silence is measured here."""
        with trio.move_on_after(LOOK_SECONDS):
            return await self._store.active()
        raise StorageUnavailable(_SILENT)

    def _learn(self, records: list[KeyRecord]) -> None:
        self._by_id = {FIRST_KEY_ID: self._first} | {
            one.id: Known(Caller(scope=one.scope, key_id=one.id, name=one.name), one.digest, one.expires_at)
            for one in records
        }
        self._tell_ended()

    def _tell_ended(self) -> None:
        """Forget what has expired, and tell whoever waits for the end of a key that is not known any more."""
        self._by_id = {key_id: known for key_id, known in self._by_id.items() if known.is_active()}
        self._by_digest = {known.digest: known for key_id, known in self._by_id.items() if key_id != FIRST_KEY_ID}
        for key_id in self._ended.keys() - self._by_id.keys():
            self._ended.pop(key_id).set()
        self._noted = {key_id: at for key_id, at in self._noted.items() if key_id in self._by_id}

    def _note_use(self, known: Known) -> None:
        key_id = known.caller.key_id
        if key_id:  # the first key is in no table
            self._used[key_id] = datetime.now(UTC)

    async def _write_uses(self) -> None:
        """Not a write a request: of each key, the first use is written at once, and then one a minute."""
        due = {
            key_id: at
            for key_id, at in self._used.items()
            if key_id not in self._noted or (at - self._noted[key_id]).total_seconds() >= USE_SECONDS
        }
        if due:
            await self._store.note_uses(due)
            self._noted |= due
            self._used = {key_id: at for key_id, at in self._used.items() if at > self._noted.get(key_id, at)}
