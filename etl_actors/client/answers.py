"""What a running service answers, or why it does not, as this package's errors: one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from ..errors import RequestFailed, ServiceUnreachable
from .address import Service

_MOST_SHOWN = 5


@contextmanager
def asking(service: Service) -> Iterator[None]:
    """Translates httpx's errors about ``service``."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServiceUnreachable(
            f"no service answers at {_shown(service.url)} ({_reason(error)}); `etl-actors serve` starts one,"
            " and ETL_URL (--url on the command line) names another"
        ) from None  # what the libraries tell beyond the reason is their own history
    except httpx.TimeoutException:
        raise RequestFailed(f"the service at {_shown(service.url)} did not answer in time") from None
    except httpx.HTTPError as error:
        raise RequestFailed(f"the connection to {_shown(service.url)} broke off: {_reason(error)}") from None


def refusal(response: httpx.Response) -> RequestFailed:
    """The error that an answer which is no success stands for. Its body must have been read."""
    status = response.status_code
    problem = _problem(response)
    if problem is None:
        return foreign(response)
    errors = [
        {key: printable(str(one.get(key, ""))) for key in ("path", "message")}
        for one in problem.get("errors") or ()
        if isinstance(one, dict)
    ]
    detail = "; ".join(f"{one['path']}: {one['message']}" for one in errors[:_MOST_SHOWN])
    more = f"; and {len(errors) - _MOST_SHOWN} more" if len(errors) > _MOST_SHOWN else ""
    sentence = detail + more or str(problem.get("detail") or problem.get("title") or response.reason_phrase)
    if status in {401, 403}:
        sentence += " (the key is read from ETL_API_KEY, ETL_API_KEY_FILE or --key-file)"
    return RequestFailed(f"the service said no ({status}): {printable(sentence)}", status=status, errors=errors)


def printable(text: str) -> str:
    """``text`` on one line, without what would move a terminal's cursor: it may repeat what stands in a file."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def foreign(response: httpx.Response) -> RequestFailed:
    """The error that an answer is which no service of ours gives. Its body need not have been read."""
    asked = _shown(str(response.url.copy_with(query=None)))
    said = f"{response.status_code} {response.reason_phrase}".strip()
    return RequestFailed(f"{asked} answered {said}; is this the address of etl-actors?", status=response.status_code)


def json_of(response: httpx.Response) -> Any:
    """The JSON of a success; raises :class:`RequestFailed` for everything else."""
    if not response.is_success:
        raise refusal(response)
    try:
        return msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        raise foreign(response) from None


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    try:
        document = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        return None
    return document if isinstance(document, dict) and ("detail" in document or "title" in document) else None


def _reason(error: BaseException) -> str:
    """What the system said, which lies under the words of two libraries and a loop."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__
    return " ".join(str(error).split()) or type(error).__name__


def _shown(url: str) -> str:
    """Without a user and a password."""
    shown = httpx.URL(url)
    return str(shown.copy_with(username="", password="")) if shown.userinfo else url
