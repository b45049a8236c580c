"""Decodes a parsed TOML document into its schema, strictly, and tells every mistake with the path of its key.

msgspec stops at the first mistake. Here each one is told, cut out, and the rest is looked at too; a number that came as
text from the environment is turned into one on the way.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from typing import Any, TypeVar

import msgspec

from .interpolation import Interpolated, as_scalar
from .places import cut_out, locate
from .secret import decode_secret
from .wording import in_plain_words

T = TypeVar("T")
Mistake = tuple[str, str, str]
"""File, key path, reason."""

_LOCATION = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN_FIELD = re.compile(r"unknown field `(?P<name>[^`]*)`")
_MISSING_FIELD = re.compile(r"missing required field `(?P<name>[^`]*)`")
_REPEATED_VALUE = re.compile(r"^(Invalid (?:enum )?value) '.*'$", re.DOTALL)
_MOST_MISTAKES = 1000


def convert(resolved: Any, kind: type[T], file: str, mistakes: list[Mistake], *, cut: Collection[str] = ()) -> T | None:
    """``resolved`` as a ``kind``, taking every text as it stands; None where something that is needed is wrong.

    Each mistake is added to ``mistakes``, and cut out of ``resolved`` on the way; those of ``cut`` were told before.
    """
    done = set(cut)
    for _ in range(_MOST_MISTAKES):
        try:
            return msgspec.convert(resolved, kind, strict=True, dec_hook=decode_secret)
        except msgspec.ValidationError as error:
            path, reason = _explain(error, kind)
            path = _named(resolved, path, kind, str(error))
            parent, key = locate(resolved, path)
            if parent is not None and isinstance(parent[key], Interpolated):
                value = as_scalar(parent[key])
                if "`bool`" in str(error) and value in (0, 1):
                    value = bool(value)  # DEBUG=1
                parent[key] = value if not isinstance(value, Interpolated) else str(value)
                continue
            missing = "missing required field" in str(error)
            if path not in done:
                mistakes.append((file, path or "(whole file)", reason))
                done.add(path)
            if missing or not cut_out(resolved, path):
                return None
    return None


def first_mistake(resolved: Any, kind: type) -> str | None:
    """Its path, where ``resolved`` is no ``kind``."""
    try:
        msgspec.convert(resolved, kind, strict=True, dec_hook=decode_secret)
    except msgspec.ValidationError as error:
        path, _ = _explain(error, kind)
        return _named(resolved, path, kind, str(error))
    return None


def _explain(error: msgspec.ValidationError, kind: type) -> tuple[str, str]:
    text = str(error)
    located = _LOCATION.search(text)
    path = located["path"] if located else ""
    reason = text[: located.start()] if located else text
    if "regex" in reason and path.endswith("connector_id"):
        return path, "an id is 1 to 255 letters, digits, '_', '.' or '-', and begins with a letter or digit"
    missing = _MISSING_FIELD.search(text)
    if missing:
        return (f"{path}.{missing['name']}" if path else missing["name"]), "this key is missing, and it is needed"
    unknown = _UNKNOWN_FIELD.search(text)
    if unknown:
        path = f"{path}.{unknown['name']}" if path else unknown["name"]
        reason = "unknown key" + _hint(unknown["name"], _known_keys(kind))
    if reason == "Expected `array`, got `object`":
        reason = f"write [[{path}]], with two brackets: there may be many"
    reason = _REPEATED_VALUE.sub(r"\1", reason)  # it may be a secret that came from a variable, or into the wrong key
    choices = _choices(kind, path) if "invalid" in reason.lower() else []
    if choices:
        reason += f"; choose one of {', '.join(choices)}"
    reason = in_plain_words(reason)
    return path, reason[0].lower() + reason[1:] if reason[:1].isupper() else reason


def _hint(name: str, known: set[str]) -> str:
    if name in known:
        return f"; {name!r} belongs into another table (is a [[connectors]] or [connectors.{name}] missing?)"
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _known_keys(kind: type) -> set[str]:
    return {member.encode_name for struct in _structs(kind) for member in struct.fields}


def _choices(kind: type, path: str) -> list[str]:
    """What may stand at ``path``, where the schema lists it."""
    *above, key = path.split(".")
    found: set[str] = set()
    for struct in _structs(kind):
        for member in struct.fields:
            variants = [member.type, *getattr(member.type, "types", ())]
            if member.encode_name == key:
                literals = [one for one in variants if isinstance(one, msgspec.inspect.LiteralType)]
                found.update(repr(value) for one in literals for value in one.values)
            if key == "type" and above and member.encode_name == above[-1]:
                tables = [one for one in variants if isinstance(one, msgspec.inspect.StructType)]
                found.update(repr(table.tag) for table in tables if table.tag is not None)
    return sorted(found)


def _structs(kind: type) -> Iterator[msgspec.inspect.StructType]:
    stack: list[Any] = [msgspec.inspect.type_info(kind)]
    while stack:
        node = stack.pop()
        if isinstance(node, msgspec.inspect.StructType):
            yield node
            stack.extend(member.type for member in node.fields)
        stack.extend(getattr(node, name) for name in ("item_type", "value_type") if hasattr(node, name))
        stack.extend(getattr(node, "types", ()))


def _named(document: Any, path: str, kind: type, complaint: str) -> str:
    """``path`` with the name of the table where msgspec says ``[...]``: the one that is wrong by itself too."""
    before, wildcard, after = path.partition("[...]")
    if not wildcard:
        return path
    parent, key = locate(document, before)
    for name in parent[key] if parent is not None else ():
        alone = {**document, before: {name: parent[key][name]}}
        try:
            msgspec.convert(alone, kind, strict=True, dec_hook=decode_secret)
        except msgspec.ValidationError as error:
            if str(error) == complaint:
                return f"{before}.{name}{after}"
    return path
