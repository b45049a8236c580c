"""A file that is there whole or not at all: written beside its place under another name, then moved there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import FileNotWritten, UsageError


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes ``path`` when the block ends well and is gone when it does not.

    What is no regular file, such as ``/dev/null`` or a pipe, is written as it is. Raises :class:`UsageError` when it
    cannot be opened, :class:`FileNotWritten` when it cannot be written to its end.
    """
    place = path.resolve()  # a link stays one, and what it leads to is replaced
    if place.is_dir():
        raise UsageError(f"{path} is a folder; name the file to write")
    if place.exists() and not place.is_file():
        with _opened(place, path, "wb") as file:
            yield file
        return
    part = place.with_name(f".{place.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with _opened(part, path, "xb") as file:
            yield file
        with _not_written(path):
            part.replace(place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _opened(place: Path, path: Path, mode: str) -> Iterator[BinaryIO]:
    try:
        file: BinaryIO = place.open(mode)  # type: ignore[assignment]  # both modes are binary
    except OSError as error:
        raise UsageError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
    with _not_written(path), file:
        yield file
        file.flush()
        with suppress(OSError):  # a pipe cannot be synchronised
            os.fsync(file.fileno())


@contextmanager
def _not_written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FileNotWritten(f"cannot write {path} to its end: {(error.strerror or str(error)).lower()}") from error
