"""Fixed answers: given bytes for given paths, in place of the living ones.

Tests serve recorded payloads through it, from a folder named at run time, and payloads made for one case. Several
answers for one path are given in turn; the last one stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path

import trio

from etl_actors.sandbox.messages import JSON, Answer, Request


class RecordedAnswers:
    """Answers by path, optionally only for a query string; empty unless filled."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str | None], deque[Answer]] = {}

    def set(
        self,
        path: str,
        *bodies: bytes | Answer,
        query: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Serves these at a path from now on. ``headers`` may hold a ``Content-Type``; it is JSON otherwise."""
        rest = {name.title(): value for name, value in (headers or {}).items()}
        content_type = rest.pop("Content-Type", JSON)
        self._answers[path, query] = deque(
            body if isinstance(body, Answer) else Answer.of(body, status, content_type, tuple(rest.items()))
            for body in bodies
        )

    async def load(self, folder: Path, files: Mapping[str, str]) -> None:
        """Serves files of a folder: ``files`` maps a path, with its query or without, to a file name."""
        for target, name in files.items():
            path, _, query = target.partition("?")
            self.set(path, await trio.Path(folder, name).read_bytes(), query=query or None)

    def clear(self, path: str | None = None) -> None:
        """Forgets all, or those of one path."""
        self._answers = {
            place: answers for place, answers in self._answers.items() if path is not None and place[0] != path
        }

    def take(self, request: Request) -> Answer | None:
        """The answer to this request, if there is one; an answer for its very query goes first."""
        for place in ((request.path, request.query), (request.path, None)):
            answers = self._answers.get(place)
            if answers:
                return answers.popleft() if len(answers) > 1 else answers[0]
        return None
