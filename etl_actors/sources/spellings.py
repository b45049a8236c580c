"""The ways in which a text may be written by those who repeat it, as a regular expression over bytes.

Plain, in JSON, in HTML, in a query, as UTF-8 read as Latin-1, in a wide encoding, and one inside the other. ASCII
letters and digits are the same everywhere, but for the NULs that a wide encoding puts between them.
"""

from __future__ import annotations

import re
from html.entities import html5

_GAP = rb"\0{0,3}"
_PLAIN = re.compile(r"[A-Za-z0-9]+")
# Bytes that one character takes at most: a letter or digit in UTF-32, and a sign in the longest of the ways below.
_LETTER_BYTES = 4
_SIGN_BYTES = 160
# Escapes of escapes are read as deep as this.
_BACKSLASHES = rb"\\(?:\0{0,3}\\){0,7}"
_LATIN_ONE = 0x100
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")

_NAMES: dict[str, list[str]] = {}
for _name, _character in html5.items():
    if _name.endswith(";") and len(_name) <= 8:
        _NAMES.setdefault(_character, []).append(_name)


def spelled(text: str) -> bytes:
    """The pattern that every spelling of ``text`` matches."""
    return _GAP.join(_letter(letter) for letter in text)


def plain_piece(text: str) -> set[bytes]:
    """Bytes one of which stands in every spelling: the longest run of letters and digits, narrow and wide."""
    piece = max(_PLAIN.findall(text), key=len, default="")
    if not piece:  # nothing but signs
        return {text[0].encode(errors="replace")[:1], b"\\", b"&", b"%", b"+"}
    letters = [letter.encode() for letter in piece]
    return {gap.join(letters) for gap in (b"", b"\0", b"\0\0\0")}


def longest(text: str) -> int:
    """How many bytes a spelling of ``text`` has at most."""
    return sum(_LETTER_BYTES if _PLAIN.fullmatch(letter) else _SIGN_BYTES for letter in text)


def _letter(letter: str) -> bytes:
    if _PLAIN.fullmatch(letter):
        return letter.encode()
    ways = _ways(letter)
    read_as_latin_one = letter.encode(errors="replace").decode("latin-1")
    if len(read_as_latin_one) > 1:
        ways.append(_GAP.join(b"(?:" + b"|".join(_ways(one)) + b")" for one in read_as_latin_one))
    return b"(?:" + b"|".join(ways) + b")"


def _ways(letter: str) -> list[bytes]:
    encoded = letter.encode(errors="replace")
    units = letter.encode("utf-16-be", "replace").hex()
    in_json = [_BACKSLASHES + _GAP + _spread("u" + units[at : at + 4]) for at in range(0, len(units), 4)]
    ampersand = b"&" + _GAP + b"(?:" + _spread("amp;") + _GAP + b")*"
    zeros = b"(?:0" + _GAP + b")*"
    number = ord(letter)
    ways = [
        _spread(encoded),
        _GAP.join(in_json),
        _GAP.join(b"%" + _GAP + b"(?:" + _spread("25") + _GAP + b")*" + _spread(f"{byte:02x}") for byte in encoded),
        ampersand + _spread("#") + _GAP + zeros + _spread(f"{number};"),
        ampersand + _spread("#x") + _GAP + zeros + _spread(f"{number:x};"),
        *(ampersand + _spread(name) for name in _NAMES.get(letter, ())),
    ]
    if number < _LATIN_ONE:
        ways.append(re.escape(letter.encode("latin-1")))
    else:
        ways += [re.escape(letter.encode(wide, "replace")) for wide in _WIDE]
    if letter in "\"'\\/":
        ways.append(_BACKSLASHES + _GAP + _spread(letter))
    if letter == " ":
        ways.append(rb"\+")
    if letter == "\\":
        ways.insert(0, _BACKSLASHES)
    return ways


def _spread(text: str | bytes) -> bytes:
    """``text`` with room for the NULs of a wide encoding; an ASCII letter in an escape may be large or small."""
    encoded = text.encode() if isinstance(text, str) else text
    return _GAP.join(_either(bytes([byte])) for byte in encoded)


def _either(byte: bytes) -> bytes:
    return b"[" + byte.lower() + byte.upper() + b"]" if byte.isalpha() else re.escape(byte)
