"""Which encoding a file is in, and its bytes as text.

A byte order mark says it; else what was declared; else it is UTF-8. Nothing is guessed: a guess that is wrong stores
wrong letters, and nobody notices. Bytes that are no text in the encoding become :data:`UNREADABLE`, which no text
holds, so that the row around them can be refused and all others kept.
"""

from __future__ import annotations

import codecs
import io
import re
from typing import BinaryIO, TextIO

from ..errors import FileRefused

UNREADABLE = "\udcff"
_HANDLER = "etl-actors-unreadable"
# What Python can decode and a file may be in; its other codecs (zip, idna, unicode_escape …) are no encodings of files.
_KNOWN = re.compile(
    r"ascii|utf-8|utf-8-sig|utf-16(-le|-be)?|utf-32(-le|-be)?|iso8859-\d+|cp\d+|koi8-[rut]|mac-[a-z]+|hp-roman8"
    r"|gb2312|gbk|gb18030|big5|big5hkscs|shift_jis\w*|euc_\w+|iso2022_\w+|johab|kz1048|ptcp154|tis-620"
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Without a mark, what is named without an order of bytes is read as nearly everybody writes it.
_UNMARKED = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNREADABLE, error.end


codecs.register_error(_HANDLER, _mark)


def encoding_of(file: BinaryIO, declared: str | None) -> str:
    """Find the encoding, and leave ``file`` behind its mark. Raises :class:`FileRefused` for one nobody knows."""
    name = _known(declared) if declared else "utf-8"
    file.seek(0)
    start = file.read(4)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            file.seek(len(mark))
            return encoding
    file.seek(0)
    return _UNMARKED.get(name, name)


def open_text(file: BinaryIO, encoding: str, *, newline: str | None) -> TextIO:
    """``file`` as text from where it stands. ``newline`` as for :func:`open`."""
    return io.TextIOWrapper(file, encoding=encoding, errors=_HANDLER, newline=newline)


def unreadable(encoding: str) -> str:
    """What a row with :data:`UNREADABLE` in it is told."""
    hint = "; if the file is in another encoding, say so with encoding=latin-1, for instance"
    return f"holds bytes that are not {encoding.upper()} text{hint if encoding == 'utf-8' else ''}"


def _known(declared: str) -> str:
    try:
        name = codecs.lookup(declared.strip()).name
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        name = ""
    if not _KNOWN.fullmatch(name):
        raise FileRefused(
            f"there is no encoding {declared[:60]!r}; utf-8, utf-16, latin-1 and windows-1252 are some",
            places=(("encoding", "must be an encoding such as utf-8, utf-16 or latin-1"),),
        )
    return name
