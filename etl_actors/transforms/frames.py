"""What a frame of a stream is, told by the connector's JMESPath: data, an answer to us, a sign of life, a goodbye.

Frames of one stream have many shapes, so an expression that cannot be evaluated over one of them (a function that meets
null, say) simply does not hold for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..settings import ConnectorSettings
from .documents import encode_json
from .expressions import EVALUATION_ERRORS, Expression, is_truthy

LONGEST_TYPE = 100


class Compile(Protocol):
    """Compiles the expression of a key, if there is one."""

    def __call__(self, key: str, text: str | None, /) -> Expression | None: ...


class FrameRules:
    """The rules of one connector; ``compile_`` notes what is wrong with an expression."""

    def __init__(self, settings: ConnectorSettings, compile_: Compile) -> None:
        self._type = _reader(compile_("message_type", settings.message_type))
        self._ignore = _reader(compile_("ignore", settings.ignore))
        self._reconnect_on = _reader(compile_("reconnect_on", settings.reconnect_on))
        self._duplicate_key = _reader(compile_("duplicate_key", settings.duplicate_key))
        steps = settings.handshake
        self._expected = [
            _reader(compile_(f"handshake[{index}].expect", step.expect)) for index, step in enumerate(steps)
        ]

    def message_type(self, document: Any) -> str | None:
        """What the provider calls a frame like this."""
        found = self._type(document)
        if isinstance(found, str):
            return found.replace("\0", "\ufffd")[:LONGEST_TYPE] or None
        return None if found is None or isinstance(found, dict | list) else encode_json(found).decode()[:LONGEST_TYPE]

    def ignored(self, document: Any) -> bool:
        """Whether a frame is none of the data: an acknowledgement, a sign of life."""
        return is_truthy(self._ignore(document))

    def says_goodbye(self, document: Any) -> bool:
        """Whether the provider is about to close the socket."""
        return is_truthy(self._reconnect_on(document))

    def answers(self, step: int, document: Any) -> bool:
        """Whether a frame is what a step of the handshake waits for."""
        return is_truthy(self._expected[step](document))

    def duplicate_key(self, document: Any) -> bytes | None:
        """What two copies of a frame, from two sockets, have in common; None when their whole text is it."""
        found = self._duplicate_key(document)
        return None if found is None else encode_json(found)


def _reader(expression: Expression | None) -> Callable[[Any], Any]:
    if expression is None:
        return lambda document: None
    read = expression.read

    def careful(document: Any) -> Any:
        try:
            return read(document)
        except EVALUATION_ERRORS:
            return None

    return careful
