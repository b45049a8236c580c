"""Structs as JSON Schema, so that what is described is what is encoded and decoded."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from ...settings.secret import MASK, Secret

REFERENCE = "#/components/schemas/{name}"


class Shapes:
    """The schemas of all types that a document speaks of: :meth:`schema_of` each, then :attr:`components`."""

    def __init__(self, types: Iterable[Any]) -> None:
        kinds = list(dict.fromkeys(types))
        schemas, components = msgspec.json.schema_components(kinds, schema_hook=_hook, ref_template=REFERENCE)
        self._schemas = {kind: _tidied(schema) for kind, schema in zip(kinds, schemas, strict=True)}
        self.components: dict[str, Any] = {name: _tidied(schema) for name, schema in sorted(components.items())}

    def schema_of(self, shape: Any) -> dict[str, Any]:
        """The schema of a type; a dict is one already."""
        return shape if isinstance(shape, dict) else self._schemas[shape]


def _hook(kind: type) -> dict[str, Any]:
    if kind is Secret:
        # Not writeOnly: it does come back, as its mask.
        return {"type": "string", "format": "password", "description": f"A secret. It comes back as `{MASK}`."}
    if kind is Raw:
        return {}
    raise NotImplementedError(f"no schema for {kind}")


def _tidied(value: Any) -> Any:
    """Docstrings become Markdown; Python's end of a pattern becomes that of ECMA-262, which JSON Schema speaks."""
    if isinstance(value, list):
        return [_tidied(one) for one in value]
    if not isinstance(value, dict):
        return value
    tidied = {name: _tidied(one) for name, one in value.items()}
    if isinstance(words := tidied.get("description"), str):
        tidied["description"] = markdown(words)
    if isinstance(pattern := tidied.get("pattern"), str):
        tidied["pattern"] = pattern.replace(r"\Z", "$")
    return tidied


def markdown(docstring: str) -> str:
    """A docstring of the house as Markdown."""
    return inspect.cleandoc(docstring).replace("``", "`")
