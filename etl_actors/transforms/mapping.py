"""One connector's mapping: how a decoded answer becomes items, compiled once, then applied thousands of times a poll.

It decides and never acts: what cannot be mapped is a :class:`PayloadRefused` that names the field and the value, and
whoever called keeps the payload.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..errors import ConfigError, PayloadRefused
from ..messages import Item, Onward
from ..settings import ConnectorSettings, ItemMapping, TokenPages
from ..settings import Sequence as Sequencing
from ..settings.disclosure import open_params
from .complaints import provider_sentence
from .continuation import Continuation
from .documents import contains_nul, encode_json
from .expressions import EVALUATION_ERRORS, Expression, compile_expression, is_truthy
from .fields import CONVERTERS
from .frames import FrameRules
from .functions import MappingFunctions
from .numbers import describe, shortened
from .sequence_reading import SequenceReading
from .symbols import SymbolTable

Read = Callable[[Any], Any]
_EVERYTHING = Expression("@", lambda value: value, of_element=True)


class Mapping:
    """The mapping of one connector. ``symbols`` may be given other pairs while it is in use."""

    def __init__(self, settings: ConnectorSettings, symbols: SymbolTable, *, file: str = "") -> None:
        items = settings.items
        self.api_name = settings.api_name
        self.exchange = settings.source_id
        self.has_items = items is not None
        self._functions = MappingFunctions(symbols)
        self._params = open_params(settings)
        self._file, self._connector_id = file, settings.connector_id
        self._mistakes: list[tuple[str, str, str]] = []
        self._error = self._compile("error", settings.error)
        self._continuation = self._compile_continuation(settings, MappingFunctions(symbols))
        of_frames = MappingFunctions(symbols)
        of_frames.params = self._params
        self.frames = FrameRules(settings, partial(self._compile, functions=of_frames))
        self.sequence = self._compile_sequence(settings.sequence, symbols)
        items = items or ItemMapping()
        self._single = items.single
        self._each = self._compile("items.each", items.each) or _EVERYTHING
        self._skip = self._compile("items.skip", items.skip)
        fields = {name: self._compile(f"items.{name}", getattr(items, name)) for name in CONVERTERS}
        extra = {name: self._compile(f"items.extra.{name}", text) for name, text in items.extra.items()}
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        used = {name: expression for name, expression in fields.items() if expression is not None}
        self.mapped_fields = {name: expression.text for name, expression in used.items()}
        self._fields = [(name, expression.read, CONVERTERS[name]) for name, expression in used.items()]
        self._extra = [(name, expression.read) for name, expression in extra.items() if expression is not None]
        # A constant or a parameter of the request says nothing about an element: these do.
        self._telling = tuple(name for name, expression in used.items() if expression.of_element)
        self._telling_extra = frozenset(
            name for name, expression in extra.items() if expression and expression.of_element
        )
        self._named_by_request = "coin_symbol" in used and "coin_symbol" not in self._telling

    def _compile(self, key: str, text: str | None, functions: MappingFunctions | None = None) -> Expression | None:
        if text is None:
            return None
        try:
            functions = functions or self._functions
            return compile_expression(text, functions, file=self._file, place=f"{self._connector_id}.{key}")
        except ConfigError as error:
            self._mistakes.extend(error.mistakes)
            return None

    def _compile_continuation(self, settings: ConnectorSettings, functions: MappingFunctions) -> Continuation:
        functions.params = self._params
        pages, cursor = settings.pagination, settings.cursor
        return Continuation(
            self._compile("pagination.from", pages.from_ if isinstance(pages, TokenPages) else None, functions),
            self._compile("cursor.from", cursor.from_ if cursor is not None else None, functions),
        )

    def _compile_sequence(self, sequence: Sequencing | None, symbols: SymbolTable) -> SequenceReading | None:
        if sequence is None:
            return None
        compiled: dict[str, Expression | None] = {}
        for expressions in (sequence.frame_expressions(), sequence.snapshot_expressions()):
            functions = MappingFunctions(symbols)
            for name, text in expressions.items():
                compiled[name] = self._compile(f"sequence.{name}", text, functions)
        return SequenceReading(compiled)

    def onward(self, document: Any) -> Onward:
        """What ``document`` says about what comes after it; may be asked in a worker thread."""
        return self._continuation.onward(document)

    def provider_error(self, document: Any) -> str | None:
        """One sentence made of what the provider says, when ``document`` is an error it reports; else None."""
        if self._error is None:
            return None
        self._begin(0, self._params)
        try:
            found = self._error.read(document)
        except EVALUATION_ERRORS as error:
            return f"error: `{self._error.text}` cannot be evaluated: {_reason(error)}"
        return provider_sentence(document, found) if is_truthy(found) else None

    def elements(self, document: Any) -> Sequence[Any]:
        """What becomes items, one by one; refused when the document does not hold a list where it should."""
        if not self.has_items:
            return ()
        self._begin(0, self._params)
        try:
            found = self._each.read(document)
        except EVALUATION_ERRORS as error:
            raise PayloadRefused(f"each: `{self._each.text}` cannot be evaluated: {_reason(error)}") from error
        if self._single and isinstance(found, dict | list):
            return (found,)
        if not self._single and isinstance(found, list):
            return found
        raise PayloadRefused(self._not_elements(document, found))

    def _not_elements(self, document: Any, found: Any) -> str:
        wanted = f"expected {'one object' if self._single else 'a list'} at `{self._each.text}`"
        if found is document:
            return f"{wanted}, the provider sent {_sent(document)}"
        return f"{wanted}, found {describe(found)} there; the provider sent {_sent(document)}"

    def map_element(self, element: Any, position: int, params: collections.abc.Mapping[str, str]) -> Item | None:
        """The item of ``element``, or None when the mapping skips it. ``position`` counts from 1."""
        self._begin(position, params)
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        key = "skip"
        try:
            if self._skip is not None and is_truthy(self._skip.read(element)):
                return None
            for key, read, convert in self._fields:  # the handler below names the key it stopped at
                values[key] = convert(read(element))
            for key, read in self._extra:
                found = read(element)
                if found is not None:
                    extra[key] = found
        except EVALUATION_ERRORS as error:
            raise PayloadRefused(f"{key}: {_reason(error)}", where=key) from error
        if not self._says_something(values, extra):
            raise PayloadRefused(f"every mapped field is null in {_sent(element)}")
        if self._functions.pair is not None:
            extra.setdefault("pair", self._functions.pair)
        return Item(extra=_extra_text(extra), **values)

    def _begin(self, position: int, params: collections.abc.Mapping[str, str]) -> None:
        functions = self._functions
        functions.position, functions.params, functions.pair = position, params, None

    def _says_something(self, values: dict[str, Any], extra: dict[str, Any]) -> bool:
        for name in self._telling:
            if values[name] is not None:
                return True
        # An item that the request itself names (the book of one pair) is kept for whatever else was read of it, and so
        # is one whose mapping has nothing but extra.
        named = self._named_by_request and values["coin_symbol"] is not None
        return (named or not values) and not self._telling_extra.isdisjoint(extra)


def _extra_text(extra: dict[str, Any]) -> str | None:
    if not extra:
        return None
    text = encode_json(extra).decode()
    if "\\u0000" in text and contains_nul(extra):
        raise PayloadRefused("extra: a text with a NUL character, which PostgreSQL cannot store", where="extra")
    return text


def _reason(error: BaseException) -> str:
    return shortened(str(error), 300) or type(error).__name__


def _sent(value: Any) -> str:
    """``value`` as the provider sent it, shortened, with what it is."""
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else f"a list of {len(value)}"
        beginning = dict(list(value.items())[:20]) if isinstance(value, dict) else value[:5]
        return f"{kind}: {shortened(encode_json(beginning).decode(), 200)}"
    return describe(value)
