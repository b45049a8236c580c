"""Reads ``Link`` headers (RFC 8288): where a provider says the next page is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

# One link: its target, and its parameters, in whose quotes commas and semicolons mean nothing. Possessive, so that no
# header can make it slow.
_LINK = re.compile(r'<([^<>]*+)>((?:\s*+;\s*+[^\s=;,"]++(?:\s*+=\s*+(?:"(?:[^"\\]|\\.)*+"|[^\s;,"]*+))?)*+)')
_PARAMETER = re.compile(r';\s*+([^\s=;,"]++)(?:\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;,"]*+)))?')
_ESCAPED = re.compile(r"\\(.)")
_LONGEST = 65_536


def next_target(header: str | None) -> str | None:
    """The target of the first link that says ``rel="next"``, as it is written; None when there is none."""
    for target, parameters in _links(header or ""):
        # A link with an anchor speaks of another document.
        if "anchor" not in parameters and "next" in parameters.get("rel", "").lower().split():
            return target.strip()
    return None


def _links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for link in _LINK.finditer(header[:_LONGEST]):
        parameters: dict[str, str] = {}
        for name, quoted, plain in _PARAMETER.findall(link[2]):
            # Of a parameter that comes twice the first counts.
            parameters.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or plain)
        yield link[1], parameters
