"""The decoder's words about types and bounds, as people would say them: "a number is needed, this is a text"."""

from __future__ import annotations

import re

_TYPE = re.compile(r"Expected `(?P<wanted>[^`]*)`, got `(?P<found>[^`]*)`")
_BOUND = re.compile(r"Expected `(?P<wanted>[^`]*)` (?P<bound>[<>]=?) (?P<value>\S+)")
_LENGTH = re.compile(r"Expected `(?P<wanted>[^`]*)` of length (?P<bound>[<>]=?) (?P<value>\d+)")

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "object": "a table (an object in JSON)",
    "array": "a list",
    "null": "null",
}
_BOUNDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}


def in_plain_words(reason: str) -> str:
    """``reason`` of msgspec; as it is where there is nothing to say better."""
    if typed := _TYPE.fullmatch(reason):
        return f"{_either(typed['wanted'])} is needed, this is {_word(typed['found'])}"
    if length := _LENGTH.fullmatch(reason):
        unit = "characters" if "str" in length["wanted"] else "elements"
        if (length["bound"], length["value"]) == (">=", "1"):
            return f"{_either(length['wanted'])} that is not empty is needed"
        return f"{_either(length['wanted'])} of {_BOUNDS[length['bound']]} {length['value']} {unit} is needed"
    if bound := _BOUND.fullmatch(reason):
        value = bound["value"].removesuffix(".0")
        return f"{_either(bound['wanted'])} is needed that is {_BOUNDS[bound['bound']]} {value}"
    return reason


def _either(types: str) -> str:
    """``int | float | null``; who may leave a key out need not be told that null would do."""
    kinds = [kind for kind in types.split(" | ") if kind != "null"] or ["null"]
    if "float" in kinds:
        kinds = [kind for kind in kinds if kind != "int"]
    return " or ".join(_word(kind) for kind in kinds)


def _word(kind: str) -> str:
    return _WORDS.get(kind, f"`{kind}`")
