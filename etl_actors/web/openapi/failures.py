"""What each error status means, as the reusable responses of the document."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from msgspec import Struct

from ..problems import RETRY_AFTER_SECONDS

PROBLEM = {"$ref": "#/components/schemas/ProblemDocument"}


class Failure(Struct, frozen=True):
    """One error status: its name in the document, when it is answered, and what it looks like."""

    name: str
    description: str
    title: str
    detail: str
    path: str | None = None
    headers: dict[str, str] = {}


FAILURES: dict[int, Failure] = {
    400: Failure(
        "BadRequest",
        "What was sent cannot be parsed.",
        "Not JSON",
        "the body is not JSON: malformed (byte 1)",
    ),
    401: Failure(
        "Unauthorized",
        "The service asks for a key, and none that it knows was sent.",
        "Unauthorized",
        "send a key in Authorization: Bearer or in X-API-Key",
        headers={"WWW-Authenticate": "How to send a key."},
    ),
    403: Failure(
        "Forbidden",
        "The key has not the scope that is needed, or a page of another site asks for what it must not do.",
        "Origin not allowed",
        "pages of http://elsewhere.example may not do this; [server] cors_origins lists who may",
    ),
    404: Failure("NotFound", "There is no such thing.", "Not found", "there is no connector 'nosuch'"),
    406: Failure("NotAcceptable", "None of the accepted media types can be served.", "Not acceptable", "try JSON"),
    409: Failure(
        "Conflict",
        "It cannot be done as things are.",
        "Not running",
        "connector 'binance_24hr' does not run, so there is nothing to do",
    ),
    412: Failure(
        "PreconditionFailed",
        "It was changed by somebody else since the ETag that was sent.",
        "Changed meanwhile",
        "the connector was changed since; GET it again and send its new ETag in If-Match",
    ),
    413: Failure(
        "ContentTooLarge",
        "The body is longer than is allowed.",
        "Too large",
        "the body may be 1,048,576 bytes long at most",
    ),
    415: Failure(
        "UnsupportedMediaType",
        "The body is of a media type that is not understood.",
        "Unsupported media type",
        "send application/json",
    ),
    416: Failure(
        "RangeNotSatisfiable", "There is no such range.", "Range not satisfiable", "the range is beyond the end"
    ),
    422: Failure(
        "NotValid",
        "What was sent can be read but is not valid; `errors` names each place.",
        "Not valid",
        "query.limit: must be a whole number from 1 to 10000",
        path="query.limit",
    ),
    424: Failure(
        "FailedDependency",
        "The provider that was asked brought nothing.",
        "The provider brought nothing",
        "HTTP 503 (Service Unavailable)",
    ),
    428: Failure("PreconditionRequired", "An If-Match header is needed.", "Precondition required", "send If-Match"),
    429: Failure(
        "TooManyRequests",
        "Too much was asked in a short time.",
        "Too many requests",
        "try again in a few seconds",
        headers={"Retry-After": "Seconds to wait."},
    ),
    502: Failure(
        "BadGateway",
        "The other service did not answer as it should.",
        "Bad gateway",
        "the provider answered 500",
    ),
    503: Failure(
        "Unavailable",
        "The database cannot be reached at the moment.",
        "Database unavailable",
        "the database does not answer; try again in a few seconds",
        headers={"Retry-After": "Seconds to wait."},
    ),
    504: Failure("GatewayTimeout", "The other service did not answer in time.", "Gateway timeout", "no answer in 10 s"),
    507: Failure("InsufficientStorage", "There is no room for it.", "Insufficient storage", "the disk is full"),
}


def failure_responses(statuses: Collection[int]) -> dict[str, Any]:
    """``components.responses``: these failures under their names."""
    return {failure.name: _response(status, failure) for status, failure in FAILURES.items() if status in statuses}


def failure_reference(status: int) -> dict[str, str]:
    """The reference to the failure of a status; ``KeyError`` for one that is not described here."""
    return {"$ref": f"#/components/responses/{FAILURES[status].name}"}


def _response(status: int, failure: Failure) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": failure.title,
        "status": status,
        "detail": failure.detail,
    }
    if failure.path is not None:
        example["errors"] = [{"path": failure.path, "message": failure.detail.removeprefix(f"{failure.path}: ")}]
    response: dict[str, Any] = {
        "description": failure.description,
        "content": {"application/problem+json": {"schema": PROBLEM, "example": example}},
    }
    if failure.headers:
        response["headers"] = {
            name: {"description": words, "schema": {"type": "string"}} | _example(name)
            for name, words in failure.headers.items()
        }
    return response


def _example(header: str) -> dict[str, str]:
    return {"example": str(RETRY_AFTER_SECONDS)} if header == "Retry-After" else {}
