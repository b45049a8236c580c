"""What is wrong with a JMESPath expression, where, and how to mend it: for people who write their first mapping."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from jmespath.exceptions import JMESPathError, UnknownFunctionError


class WrongArguments(JMESPathError):  # type: ignore[misc]  # jmespath ships no type information
    """A function is called with too many or too few arguments."""


def advise_function(name: str, given: int, table: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises unless ``name`` is a function that can take ``given`` arguments."""
    if name not in table:
        near = difflib.get_close_matches(name, table, n=1)
        meant = f"did you mean {near[0]}()?" if near else f"known: {', '.join(sorted(table))}"
        raise UnknownFunctionError(f"there is no function {name}(); {meant}")
    signature = table[name]["signature"]
    variadic = bool(signature) and signature[-1].get("variadic", False)
    if given < len(signature) if variadic else given != len(signature):
        least = "at least " if variadic else ""
        raise WrongArguments(f"{name}() takes {least}{len(signature)} argument(s), not {given}")


def advise_syntax(text: str, error: JMESPathError) -> str:
    """One line: what, at which character of the expression, and the mend."""
    position = getattr(error, "lex_position", None)
    if position is None:
        return f"{error}, in {text!r}"
    what = _what(error)
    place = f"after {text!r}" if position >= len(text) else f"at character {position + 1} of {text!r}"
    return f"not a JMESPath expression: {what} {place}; {_mend(text, position, what)}"


def _what(error: JMESPathError) -> str:
    token = getattr(error, "token_value", None)
    message = str(getattr(error, "message", "") or "")
    if "Unclosed" in message or "Unknown token" in message:
        return message[0].lower() + message[1:]
    return f"unexpected {token!r}" if token not in (None, "") else "something is missing"


def _mend(text: str, position: int, what: str) -> str:
    here = text[position : position + 1]
    before = text[:position].rstrip()[-1:]
    if here == "=":
        return "write == to compare"
    if before in "=<>" and before and (here.isdigit() or here in "-."):
        return "write a number between backticks: `0`"
    if "nclosed" in what:
        return f"close the {here}"
    if position >= len(text):
        return "complete it"
    if here.isalnum() or here in "-_":
        return 'write a name that is not only letters, digits and _ in double quotes: "24h-change"'
    return "https://jmespath.org has the grammar"
