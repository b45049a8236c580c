"""Every error of the house, sorted by what the one who catches it can do about it.

``UsageError`` and its children: the person who started the command can mend it; one sentence on stderr, exit 2.
``ServiceFailed``: nobody can mend it from here; one sentence, exit 1.
``Ended``: what runs beside us died; start it again, a few times.
``RequestFailed``, ``FileNotWritten``: a command or a class that talks to a running service did not get what it wanted.
``StorageUnavailable``: wait and try again; nothing is wrong with the data.
``SpoolFull``, ``SpoolUnavailable``: no batch can be kept on disk now; hold on to it, and read nothing more meanwhile.
``PollFailed`` and its children: expected trouble with a provider; data for the connector, never a crash.
``ConnectorChangeRefused`` and its children: the caller who wants to change a connector can mend it.
``PayloadRefused``: this payload cannot be mapped; keep it raw, with the reason.
``RejectedGone``, ``ReplayRefused``: a payload that was kept so cannot be mapped again; tell whoever asked why.
``FileRefused``: this file cannot be kept; tell whoever sent it why. ``NoRoom``: not now; there is no place for it.
Errors of libraries are translated at the wall of the room that uses the library, and chained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID


class EtlActorsError(Exception):
    """The root: everything this package raises on purpose."""


class UsageError(EtlActorsError):
    """The command or its surroundings are wrong in a way the person who started it can mend. Exit code 2."""


class ConfigError(UsageError):
    """A config file is wrong: names the file, the path of the key and the mend.

    ``mistakes`` is a tuple of ``(file, key_path, reason)``; the text of the error is one line for each.
    """

    def __init__(self, *mistakes: tuple[str, str, str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(f"{file}: {path}: {reason}" for file, path, reason in mistakes))


class DataFolderInUse(UsageError):
    """Another service holds the data folder."""


class ServiceFailed(EtlActorsError):
    """The service cannot go on. Exit code 1, with the text of this error as its one sentence."""


class Ended(EtlActorsError):
    """Something outside of this process that belongs to us has ended by itself; the text is what it said last."""


class RequestFailed(EtlActorsError):
    """A running service that we asked as a client said no, or did not answer. Exit code 1.

    ``status`` is its HTTP status, None when there was no answer; ``errors`` are its ``[{"path", "message"}]``, if any.
    """

    def __init__(self, reason: str, *, status: int | None = None, errors: Sequence[Mapping[str, str]] = ()) -> None:
        self.status = status
        self.errors = errors
        super().__init__(reason)


class ServiceUnreachable(RequestFailed):
    """No service answers at the address that it is looked for at."""


class FileNotWritten(EtlActorsError):
    """A file that we fetched could not be written to its end. Exit code 1."""


class StorageUnavailable(EtlActorsError):
    """PostgreSQL does not answer now; the same call may succeed later."""


class StorageBusy(StorageUnavailable):
    """Every connection of the pool stayed in use for as long as the caller was willing to wait."""


class OutcomeUnknown(StorageUnavailable):
    """PostgreSQL was lost during a COMMIT: what was to be stored may be, or may not."""


class SpoolFull(EtlActorsError):
    """The spool on disk takes no more now, and nothing of what was to be appended is in it. The text says why."""


class SpoolUnavailable(EtlActorsError):
    """The disk under the spool does not do what is asked; whether a batch that was to be appended is kept is open."""


class StorageRefused(EtlActorsError):
    """PostgreSQL will never take these rows: some value of them cannot be stored."""


class RejectedGone(EtlActorsError):
    """There is no such rejected payload, or not any more."""

    def __init__(self, rejected_id: int) -> None:
        super().__init__(f"there is no rejected payload {rejected_id}; GET /api/rejected lists those that there are")


class ReplayRefused(EtlActorsError):
    """A rejected payload cannot be mapped again as things are, whatever is in it. The text is one sentence."""


class ReplaysLost(EtlActorsError):
    """Rejected payloads that parts of a batch are made of are gone; ``extraction_ids`` names those parts."""

    def __init__(self, extraction_ids: frozenset[UUID]) -> None:
        self.extraction_ids = extraction_ids
        super().__init__(f"{len(extraction_ids)} rejected payloads were replayed or dropped already")


class TooManyKeys(UsageError):
    """There are as many API keys as there may be."""


class EpochLost(EtlActorsError):
    """Connectors of a batch belong to somebody else by now; ``connector_ids`` names them."""

    def __init__(self, connector_ids: frozenset[str]) -> None:
        self.connector_ids = connector_ids
        super().__init__(f"connectors taken over by another service: {', '.join(sorted(connector_ids))}")


class PollFailed(EtlActorsError):
    """One poll brought no data. The text is one sentence for the connector's status.

    ``retry_after``: seconds the provider asked for, or None. ``refused``: the provider said no (401, 403, 451), so
    asking again soon is pointless. ``banned``: the provider blocks this address (418), so everybody who shares the
    limit waits. ``status``: that of the answer, when there was one.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: float | None = None,
        refused: bool = False,
        banned: bool = False,
        status: int | None = None,
    ) -> None:
        self.retry_after = retry_after
        self.refused = refused
        self.banned = banned
        self.status = status
        super().__init__(reason)


class TargetRefused(PollFailed):
    """A caller over REST may not be taken where this leads: the request was not sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, refused=True)


class LinkRefused(PollFailed):
    """The provider named a next page that cannot be asked for: the request was not sent."""


class PayloadRefused(EtlActorsError):
    """A payload or an element cannot be mapped. ``where`` is the place in it ("" for the whole)."""

    def __init__(self, reason: str, *, where: str = "") -> None:
        self.where = where
        super().__init__(reason)


class PayloadTooLarge(PayloadRefused):
    """A payload would take more memory than an answer may, so it is not decoded."""


class ConnectorChangeRefused(EtlActorsError):
    """A connector cannot be made, changed or deleted as asked. The text is one sentence."""


class ConnectorExists(ConnectorChangeRefused):
    """The id is taken."""

    def __init__(self, connector_id: str) -> None:
        super().__init__(f"there is a connector {connector_id!r} already; PUT replaces it, another id makes a new one")


class ConnectorGone(ConnectorChangeRefused):
    """There is no such connector."""

    def __init__(self, connector_id: str) -> None:
        super().__init__(f"there is no connector {connector_id!r}")


class ConnectorFromFile(ConnectorChangeRefused):
    """It is written in a config file, and only there can it be changed."""

    def __init__(self, connector_id: str, file: str) -> None:
        super().__init__(f"connector {connector_id!r} is written in {file}; change it there")


class VersionPassed(ConnectorChangeRefused):
    """Somebody else changed it meanwhile."""

    def __init__(self, connector_id: str) -> None:
        super().__init__(f"connector {connector_id!r} was changed meanwhile; get it again and repeat your change on it")


class TooManyAtOnce(EtlActorsError):
    """As much as is allowed at once is under way already; the same call may succeed in a moment."""


class KeyRotated(EtlActorsError):
    """Secrets are kept under a newer key than the one that sealed these; take it over, seal again."""


class NotDrained(EtlActorsError):
    """What was read is not stored yet, so what depends on that has to wait; the same call may succeed later."""


class FileRefused(EtlActorsError):
    """A file cannot be kept. ``parsed`` is False where it is not even of the kind it should be; ``places`` are
    ``(place, reason)`` of what is wrong."""

    def __init__(self, reason: str, *, parsed: bool = True, places: tuple[tuple[str, str], ...] = ()) -> None:
        self.parsed = parsed
        self.places = places
        super().__init__(reason)


class NoRoom(EtlActorsError):
    """There is no place for another file. ``disk``: none on the disk; else too many are on their way at once."""

    def __init__(self, reason: str, *, disk: bool) -> None:
        self.disk = disk
        super().__init__(reason)
