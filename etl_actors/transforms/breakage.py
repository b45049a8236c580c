"""Why a body could not be read as JSON, in one sentence a person can act on.

Providers under stress answer with anything: nothing at all, a firewall's HTML page, a line of text, half a document.
"""

from __future__ import annotations

import html
import re

from .numbers import shortened

_TITLE = re.compile(rb"<title[^>]{0,200}>(.{0,400}?)</title>", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r" ?\(byte (?P<place>[0-9]+)\)")
_LONE_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_NOT_FINITE = re.compile(rb"-?(?:NaN|Infinity|nan|inf)\b")
_BEGINS_JSON = re.compile(rb'[\[{"]|-?[0-9]')


def explain_breakage(body: bytes, complaint: str) -> str:
    """``complaint`` is what the decoder said about ``body``."""
    start = body[:4096].lstrip()
    if not start:
        return "the provider sent an empty body"
    if start.startswith(b"<"):
        return _explain_markup(body, start)
    place = _place(complaint)
    if _NOT_FINITE.match(body, max(0, place - 1)) or _NOT_FINITE.match(body, place):
        return f"the JSON holds NaN or Infinity at byte {place:,}, which is no JSON number"
    if not _is_text(start):
        return f"the provider sent {len(body):,} bytes that are neither JSON nor UTF-8 text"
    if not _BEGINS_JSON.match(start) or (start[:1].isdigit() and start[-1:].isalpha()):
        return f'expected JSON, the provider sent text: "{shortened(_text(start), 100)}"'
    if "surrogate" in complaint or _LONE_SURROGATE.search(body):
        return "the JSON holds half of a surrogate pair, which is no character"
    if "truncated" in complaint:
        return f"the JSON is cut off after {len(body):,} bytes"
    if "codec" in complaint or "UTF-8" in complaint:
        return "the JSON holds bytes that are not UTF-8 text"
    what = _PLACE.sub("", complaint).removeprefix("JSON is malformed: ")
    near = shortened(_text(body[max(0, place - 10) : place + 30]), 40)
    return f"the JSON is malformed at byte {place:,} of {len(body):,}: {what}, near {near!r}"


def _explain_markup(body: bytes, start: bytes) -> str:
    title = _TITLE.search(body[:65_536])
    named = shortened(html.unescape(_text(title[1])), 150) if title else ""
    if named:
        return f'expected JSON, the provider sent an HTML page titled "{named}"'
    if start[:9].lower() == b"<!doctype" or b"<html" in start[:1024].lower():
        return "expected JSON, the provider sent an HTML page"
    return f'expected JSON, the provider sent markup: "{shortened(_text(start), 100)}"'


def _place(complaint: str) -> int:
    found = _PLACE.search(complaint)
    return int(found["place"]) if found else 0


def _is_text(start: bytes) -> bool:
    # The slice may end within a character.
    return "�" not in _text(start[:-3] or start) and b"\0" not in start


def _text(part: bytes) -> str:
    return part.decode("utf-8", errors="replace")
