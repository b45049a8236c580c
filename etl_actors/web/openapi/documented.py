"""``documented``: what a route takes, answers and refuses, said beside it.

::

    @routes.get("/<connector_id>/status")
    @documented("How one connector is", answers={200: Answer(ConnectorStatus, "How it is at this moment.")})
    async def status(connector_id: str) -> Response: ...

Tag and operation id come from the blueprint and the view's name, longer words from the view's docstring, path
parameters from the route. Errors that follow from the rest need not be said: 404 where the path has a parameter, 422
where there are query parameters, 400, 413 and 415 where there is a body, 401 and 403 where a scope is needed, 403 for
what another site's page must not do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct

from ..parameters import Parameter

Scope = Literal["read", "write", "admin"]
View = TypeVar("View", bound=Callable[..., Any])

_MARK = "__documented__"


class Answer(Struct, frozen=True):
    """One successful answer: the shape of its JSON (None: it has no body), and what other media types it comes in.

    ``kind`` is the media type of that JSON. ``media`` maps another one to what a body of it is: a JSON Schema, or a
    type. ``headers`` maps names to words.
    """

    shape: Any
    description: str
    example: Any = None
    media: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    kind: str = "application/json"


class Body(Struct, frozen=True):
    """What a route takes: a type or a JSON Schema by media type. ``examples`` maps a name to a value for JSON."""

    media: Mapping[str, Any]
    description: str = ""
    required: bool = True
    examples: Mapping[str, Any] = {}


class Description(Struct, frozen=True, kw_only=True):
    """Everything that was said of one route."""

    summary: str
    answers: Mapping[int, Answer]
    scope: Scope | None
    parameters: Sequence[Parameter]
    headers: Mapping[str, str]
    body: Body | None
    problems: Sequence[int]


def documented(
    summary: str,
    *,
    answers: Mapping[int, Answer],
    scope: Scope | None = "read",
    parameters: Sequence[Parameter] = (),
    headers: Mapping[str, str] | None = None,
    body: Body | None = None,
    problems: Sequence[int] = (),
) -> Callable[[View], View]:
    """Describe the view below. ``headers`` are request headers it heeds, ``problems`` its further error statuses."""

    def mark(view: View) -> View:
        description = Description(
            summary=summary,
            answers=answers,
            scope=scope,
            parameters=parameters,
            headers=headers or {},
            body=body,
            problems=problems,
        )
        setattr(view, _MARK, description)
        return view

    return mark


def hidden(view: View) -> View:
    """Leave the view below out of the document: a page for people, no operation for programs."""
    setattr(view, _MARK, None)
    return view


def is_hidden(view: Callable[..., Any]) -> bool:
    """Whether it was left out on purpose."""
    return getattr(view, _MARK, view) is None


def description_of(view: Callable[..., Any]) -> Description | None:
    """What was said of it; None when nothing was."""
    found = getattr(view, _MARK, None)
    return found if isinstance(found, Description) else None
