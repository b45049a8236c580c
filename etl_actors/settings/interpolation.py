"""``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}`` in config files, read from the environment.

Interpolation happens on the strings of the parsed document, never on its text, so that no variable can add a key. A
variable that is not set may be given as the path of a file in ``NAME_FILE`` (how container secrets arrive). ``$$`` is a
plain ``$``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\})")


class Interpolated(str):
    """A string that came out of the environment; a number or boolean may be meant by it."""

    __slots__ = ()


def interpolate(document: Any, environment: Mapping[str, str], report: Callable[[str, str], None]) -> Any:
    """A copy of ``document`` with every reference replaced; trouble goes to ``report(key_path, reason)``."""

    def walk(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {key: walk(child, f"{path}.{key}" if path else key) for key, child in value.items()}
        if isinstance(value, list):
            return [walk(child, f"{path}[{index}]") for index, child in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            try:
                return Interpolated(_REFERENCE.sub(lambda match: _resolve(match, environment), value))
            except LookupError as error:
                report(path, str(error.args[0]))
                return ""
        return value

    return walk(document, "")


def _resolve(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    name, kind, rest = match["name"], match["kind"], match["rest"] or ""
    value = read_variable(name, environment)
    if value:
        return value
    if kind == "-":
        return rest
    if kind == "?":
        raise LookupError(f"{rest.strip() or 'this must be set'} (environment variable {name})")
    if value is None:
        raise LookupError(f"environment variable {name} is not set; set it or write ${{{name}:-default}}")
    return value


def read_variable(name: str, environment: Mapping[str, str]) -> str | None:
    """The variable, or the content of the file that ``NAME_FILE`` names, or None."""
    if name in environment:
        return environment[name]
    path = environment.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LookupError(f"cannot read {path} (environment variable {name}_FILE): {reason}") from None


def as_scalar(text: str) -> Any:
    """What a person means by ``text`` where a number or a boolean is wanted; the text itself when neither."""
    lowered = text.strip().lower()
    if lowered in {"true", "yes", "on", "1"}:
        return 1 if lowered == "1" else True
    if lowered in {"false", "no", "off", ""}:
        return False
    for kind in (int, float):
        try:
            return kind(lowered)
        except ValueError:
            continue
    return text
