"""Errors as clients get them: ``application/problem+json`` (RFC 9457), with the path of each mistake."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from msgspec import Struct
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing.exceptions import WebsocketMismatch

from ..errors import (
    ConfigError,
    ConnectorChangeRefused,
    ConnectorGone,
    EtlActorsError,
    FileRefused,
    NoRoom,
    NotDrained,
    OutcomeUnknown,
    PayloadRefused,
    PollFailed,
    RejectedGone,
    ReplayRefused,
    StorageBusy,
    StorageRefused,
    StorageUnavailable,
    TargetRefused,
    TooManyAtOnce,
    VersionPassed,
)

log = structlog.get_logger("web")

RETRY_AFTER_SECONDS = 5
PROBLEM_JSON = "application/problem+json"


class Mistake(Struct, frozen=True):
    """One thing that is wrong with what was sent: where, and what."""

    path: str
    message: str


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457). ``errors`` is there for bad input and names each place."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Mistake] = []


class Problem(Exception):
    """What a caller did wrong, or what it must wait for. ``errors`` is ``[{"path", "message"}]`` for bad input."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        super().__init__(detail)


def not_found(what: str) -> Problem:
    """404, naming what is not there."""
    return Problem(404, "Not found", what)


def invalid(path: str, message: str) -> Problem:
    """422 for one value."""
    return Problem(422, "Not valid", f"{path}: {message}", errors=[{"path": path, "message": message}])


def json_response(value: Any, status: int = 200) -> Response:
    """``value`` as JSON."""
    return Response(msgspec.json.encode(value), status=status, content_type="application/json")


def no_content() -> Response:
    """204: it is done, and there is nothing to say."""
    response = Response(b"", status=204)
    del response.headers["Content-Type"]
    return response


def problem_document(
    status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None
) -> ProblemDocument:
    """A problem, ready to be encoded."""
    mistakes = [Mistake(**error) for error in errors or []]
    return ProblemDocument(type="about:blank", title=title, status=status, detail=detail, errors=mistakes)


def problem_body(status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None) -> bytes:
    """The JSON of a problem document."""
    return msgspec.json.encode(problem_document(status, title, detail, errors))


def document_response(document: ProblemDocument) -> Response:
    """A problem document as an answer, which says when to try again where that may help."""
    response = Response(msgspec.json.encode(document), status=document.status, content_type=PROBLEM_JSON)
    if document.status in {429, 503}:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def problem_response(status: int, title: str, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """A problem document."""
    return document_response(problem_document(status, title, detail, errors))


# What an error of the house means to a caller; the first that fits.
_MEANINGS: tuple[tuple[type[EtlActorsError], int, str], ...] = (
    (ConnectorGone, 404, "Not found"),
    (RejectedGone, 404, "Not found"),
    (ReplayRefused, 409, "Conflict"),
    (VersionPassed, 412, "Changed meanwhile"),
    (ConnectorChangeRefused, 409, "Conflict"),
    (NotDrained, 503, "Not now"),
    (TooManyAtOnce, 429, "Too many at once"),
    (PayloadRefused, 422, "Not mapped"),
    (StorageRefused, 422, "Not valid"),
    (PollFailed, 424, "The provider brought nothing"),
)


def _storage_words(error: StorageUnavailable) -> str:
    if isinstance(error, OutcomeUnknown):
        return "the database was lost while it stored this, so it may be stored or not"
    return "the database is too busy" if isinstance(error, StorageBusy) else "the database does not answer"


def _told_as(status: int, title: str) -> Callable[[Exception], Awaitable[Response]]:
    async def tell(error: Exception) -> Response:
        return problem_response(status, title, str(error))

    return tell


def install_problem_handlers(app: QuartTrio) -> None:
    """Whatever a view raises leaves as a problem document; what nobody foresaw is logged and says nothing of itself."""

    @app.errorhandler(Problem)
    async def _problem(error: Problem) -> Response:
        response = problem_response(error.status, error.title, error.detail, error.errors)
        response.headers.update(error.headers)
        return response

    @app.errorhandler(StorageUnavailable)
    async def _storage(error: StorageUnavailable) -> Response:
        # A driver's text names hosts, users and paths, and not everybody who gets here has shown a key.
        log.info("web.storage_unavailable", error=str(error))
        return problem_response(503, "Database unavailable", f"{_storage_words(error)}; try again in a few seconds")

    @app.errorhandler(ConfigError)
    async def _config(error: ConfigError) -> Response:
        mistakes = [{"path": path, "message": reason} for _, path, reason in error.mistakes]
        detail = "; ".join(f"{one['path']}: {one['message']}" if one["path"] else one["message"] for one in mistakes)
        return problem_response(422, "Not valid", detail, mistakes)

    @app.errorhandler(TargetRefused)
    async def _target(error: TargetRefused) -> Response:
        return problem_response(422, "Not allowed", str(error), [{"path": "url", "message": str(error)}])

    @app.errorhandler(FileRefused)
    async def _file(error: FileRefused) -> Response:
        errors = [{"path": place, "message": reason} for place, reason in error.places]
        status, title = (422, "Not valid") if error.parsed else (400, "Cannot be parsed")
        return problem_response(status, title, str(error), errors)

    @app.errorhandler(NoRoom)
    async def _no_room(error: NoRoom) -> Response:
        if error.disk:
            return problem_response(507, "No room left", f"{error}")
        return problem_response(503, "Too much at once", f"{error}; try again in a few seconds")

    for kind, status, title in _MEANINGS:
        app.register_error_handler(kind, _told_as(status, title))

    @app.errorhandler(WebsocketMismatch)
    async def _socket(error: WebsocketMismatch) -> Response:
        response = problem_response(426, "Upgrade needed", "this is a WebSocket: connect with ws:// or wss://")
        response.headers["Upgrade"] = "websocket"
        return response

    @app.errorhandler(NotFound)
    async def _nowhere(error: NotFound) -> Response:
        return problem_response(404, "Not found", f"nothing is at {request.path[:200]!r}; /docs shows what there is")

    @app.errorhandler(MethodNotAllowed)
    async def _no_method(error: MethodNotAllowed) -> Response:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"{request.method} is not for this address; it takes {allowed or 'no method at all'}"
        response = problem_response(405, "Method not allowed", detail)
        response.headers["Allow"] = allowed
        return response

    @app.errorhandler(HTTPException)
    async def _http(error: HTTPException) -> Response:
        response = problem_response(error.code or 500, error.name, error.description or error.name)
        for name, value in error.get_headers():
            if name.lower() in {"allow", "location", "retry-after"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    async def _unforeseen(error: Exception) -> Response:
        log.error("web.request_failed", exc_info=error)
        return problem_response(500, "Internal error", "something failed inside the service; its log says what")
