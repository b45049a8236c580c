"""Finds a provider's own words in an error body, whatever its shape, and makes them fit for a status page.

JSON of any of the shapes seen (a message under one of a few names, however deep), the title of an HTML page, or the
plain text. A page without a title says nothing. Secrets that the provider repeats are masked.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from .echoes import masked, without_echoes
from .wording import one_line

_READ_BYTES = 65_536
_DEEPEST = 5
# The more telling name first: {"error": true, "reason": "…"} and {"title": "…", "detail": "…"} are both in use.
_NAMES = (
    "error_message",
    "error_description",
    "msg",
    "message",
    "errmsg",
    "detail",
    "reason",
    "error",
    "err",
    "errors",
    "status",
    "title",
    "description",
)
_CODES = ("code", "error_code")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"\s*(<!doctype html|<html|<head|<\?xml)", re.IGNORECASE)


def provider_words(body: bytes, *, secrets: Iterable[str] = ()) -> str:
    """At most 200 printable characters; empty when the body says nothing."""
    known = list(secrets)
    # Once as it was written, and once more as it reads: each may hide what the other shows.
    text = without_echoes(body[:_READ_BYTES], known).decode("utf-8", "replace").lstrip("\ufeff")
    return one_line(masked(_said(text), known))


def _said(text: str) -> str:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        pass
    else:
        return _in_json(document, _DEEPEST) if isinstance(document, dict | list | str) else ""
    title = _TITLE.search(text)
    if title is not None:
        return html.unescape(title[1])
    return "" if _HTML.match(text) else text


def _in_json(document: Any, depth: int) -> str:
    if isinstance(document, str):
        return document
    if depth and isinstance(document, list):
        return next((words for one in document[:10] if (words := _in_json(one, depth - 1))), "")
    if not depth or not isinstance(document, dict):
        return ""
    by_name = {name.lower(): value for name, value in document.items()}
    for name in _NAMES:
        if name in by_name and (words := _in_json(by_name[name], depth - 1)):
            return words + _code(by_name)
    return ""


def _code(by_name: dict[str, Any]) -> str:
    code = next((by_name[name] for name in _CODES if name in by_name), 0)
    # Zero and the HTTP status repeated tell nothing.
    if isinstance(code, int) and code and not 100 <= code < 600:
        return f" (code {code})"
    return ""
