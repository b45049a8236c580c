"""JMESPath, checked when the config is read and compiled once to plain Python callables.

Thousands of elements pass through the same few expressions every poll. Paths, comparisons and calls (nearly all that
mappings are made of) become closures; anything else is left to jmespath's own interpreter. Unknown functions and wrong
numbers of arguments, which jmespath finds only when it meets data, are found here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter

from ..errors import ConfigError
from .advice import advise_function, advise_syntax
from .functions import MappingFunctions

Read = Callable[[Any], Any]
Node = dict[str, Any]

# What evaluating an expression over unforeseen data can raise; JMESPathError is a ValueError.
EVALUATION_ERRORS = (ValueError, TypeError, ArithmeticError, AttributeError, LookupError, RecursionError)
_LOOKS_AT_DATA = frozenset({"field", "current", "index", "slice", "flatten"})


@dataclass(frozen=True, slots=True)
class Expression:
    """``read(element)`` evaluates it; ``of_element`` is false when the outcome is the same for every element."""

    text: str
    read: Read
    of_element: bool


def compile_expression(text: str, functions: MappingFunctions, *, file: str = "", place: str = "") -> Expression:
    """``text`` ready to be evaluated; :class:`ConfigError` with ``file`` and ``place`` says where it is wrong."""
    try:
        root = _with_exact_literals(Parser().parse(text).parsed)
        nodes = list(_walk(root))
        for node in nodes:
            if node["type"] == "function_expression":
                advise_function(node["value"], len(node["children"]), functions.FUNCTION_TABLE)
        read = _Compiler(functions).compile(root)
    except JMESPathError as error:
        raise ConfigError((file, place, advise_syntax(text, error))) from error
    except RecursionError as error:
        raise ConfigError((file, place, "this expression is nested too deeply")) from error
    return Expression(text, read, any(node["type"] in _LOOKS_AT_DATA for node in nodes))


def is_truthy(value: Any) -> bool:
    """JMESPath's truth: null, false and what is empty are not; every number is, zero too."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return True
    return bool(value)


class _Compiler:
    def __init__(self, functions: MappingFunctions) -> None:
        self._functions = functions
        self._interpreter = TreeInterpreter(Options(custom_functions=functions))

    def compile(self, node: Node) -> Read:
        build = getattr(self, f"_{node['type']}", None)
        if build is not None:
            built: Read | None = build(node)
            if built is not None:
                return built
        visit = self._interpreter.visit
        return lambda value: visit(node, value)

    def _children(self, node: Node) -> list[Read]:
        return [self.compile(child) for child in node["children"]]

    def _field(self, node: Node) -> Read:
        key = node["value"]
        return lambda value: value.get(key) if value.__class__ is dict else None

    def _index(self, node: Node) -> Read:
        place = node["value"]

        def read(value: Any) -> Any:
            return value[place] if value.__class__ is list and -len(value) <= place < len(value) else None

        return read

    def _subexpression(self, node: Node) -> Read:
        steps = self._children(node)
        if len(steps) == 2:
            first, second = steps
            return lambda value: second(first(value))

        def read(value: Any) -> Any:
            for step in steps:
                value = step(value)
            return value

        return read

    _index_expression = _subexpression
    _pipe = _subexpression

    def _current(self, _node: Node) -> Read:
        return lambda value: value

    _identity = _current

    def _literal(self, node: Node) -> Read:
        constant = node["value"]
        return lambda _value: constant

    def _comparator(self, node: Node) -> Read | None:
        if node["value"] not in {"eq", "ne"}:
            return None
        left, right = self._children(node)
        compare = TreeInterpreter.COMPARATOR_FUNC[node["value"]]
        return lambda value: compare(left(value), right(value))

    def _and_expression(self, node: Node) -> Read:
        left, right = self._children(node)

        def read(value: Any) -> Any:
            found = left(value)
            return right(value) if is_truthy(found) else found

        return read

    def _or_expression(self, node: Node) -> Read:
        left, right = self._children(node)

        def read(value: Any) -> Any:
            found = left(value)
            return found if is_truthy(found) else right(value)

        return read

    def _function_expression(self, node: Node) -> Read:
        name, arguments = node["value"], self._children(node)
        call = self._functions.call_function
        if name in {"base_asset", "quote_asset"}:
            return self._asset(name, arguments[0], 0 if name == "base_asset" else 1)
        return lambda value: call(name, [argument(value) for argument in arguments])

    def _asset(self, name: str, argument: Read, side: int) -> Read:
        functions = self._functions

        def read(value: Any) -> Any:
            pair = argument(value)
            if pair.__class__ is str:
                return functions.assets(pair)[side]
            return functions.call_function(name, [pair])  # null, or the error that says what it is

        return read


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node["children"]:
        if isinstance(child, dict):  # the children of a slice are numbers
            yield from _walk(child)


def _with_exact_literals(node: Node) -> Node:
    """A copy whose numbers are exact, so that they can be compared and counted with those of documents."""
    children = [_with_exact_literals(child) if isinstance(child, dict) else child for child in node["children"]]
    copied = {**node, "children": children}
    if node["type"] == "literal":
        copied["value"] = _exact(node["value"])
    return copied


def _exact(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, list):
        return [_exact(child) for child in value]
    if isinstance(value, dict):
        return {key: _exact(child) for key, child in value.items()}
    return value
