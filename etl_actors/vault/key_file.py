"""A few random bytes kept in the data folder: made once, whole or not at all, readable by their owner only.

Losing or replacing such a file makes every stored secret unreadable, or locks everybody out, so a file that is there is
never written again, whatever is wrong with it: the person is told and decides. A file appears by a hard link to a
finished and synced temporary file. The link fails when the name is taken, so two services that start together end up
with the same bytes: whoever comes second reads what the first one made. What the text of the file looks like is a
:class:`Form`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from .errors import KeyFileUnusable, KeyMissing
from .hidden import Hidden, fresh, parse

_MODE = 0o600
_LONGEST = 1024  # bytes read of a file; a sound one is shorter by far


T = TypeVar("T")


@dataclass(frozen=True)
class Form(Generic[T]):
    """What a file holds: how a new text is ``made`` and how one is ``read`` (None when it is not such a text).

    ``what`` names the file, ``holds`` its content and ``mend`` the way out when it is damaged, all in errors.
    """

    what: str
    holds: str
    mend: str
    make: Callable[[], str]
    read: Callable[[str], T | None]


def bytes_form(size: int, *, what: str) -> Form[Hidden]:
    """``size`` bytes in base64, which stored secrets depend on."""
    return Form(
        what=what,
        holds=f"base64: and {size} bytes",
        mend="put it back from a backup",
        make=lambda: fresh(size).text(),
        read=lambda text: parse(text, size=size),
    )


def read_or_create(path: Path, form: Form[T], *, may_create: bool = True) -> T:
    """What is kept in ``path``, which is made when it is missing."""
    what = form.what
    kept = _read(path, form)
    if kept is None and not may_create:
        raise KeyMissing(
            f"{what} {path} is missing although secrets are stored already: put it back from a backup, "
            f"or start with the key they were stored under"
        )
    if kept is None:
        _create(path, form)
        kept = _read(path, form)
    if kept is None:
        raise KeyFileUnusable(f"{what} {path} can be neither read nor made: it is a link to nothing")
    try:
        # also by those who only found the file: its maker may not have come so far
        sync_folder(path.parent)
    except OSError as error:
        raise KeyFileUnusable(f"folder {path.parent} of the {what} cannot be synced: {error.strerror}") from error
    return kept


def _read(path: Path, form: Form[T]) -> T | None:
    """What the file holds, or None when there is no file."""
    what = form.what
    try:
        # without O_NONBLOCK a pipe of that name would stop the start for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyFileUnusable(f"{what} {path} cannot be read: {error.strerror}") from error
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise KeyFileUnusable(f"{what} {path} is not a regular file")
        mode = stat.S_IMODE(state.st_mode)
        if mode & 0o077:
            raise KeyFileUnusable(f"{what} {path} is open to others (mode {mode:04o}): run chmod 600 {path}")
        kept = form.read(os.read(descriptor, _LONGEST).decode("ascii", "replace"))
    except OSError as error:
        raise KeyFileUnusable(f"{what} {path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if kept is None:
        raise KeyFileUnusable(f"{what} {path} does not hold {form.holds}, so it is damaged: {form.mend}")
    return kept


def _create(path: Path, form: Form[T]) -> None:
    """Make the file, unless somebody else was quicker."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), _MODE)  # a umask can only have taken from it
                file.write(form.make() + "\n")
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise KeyFileUnusable(f"{form.what} {path} cannot be made: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make a file created in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
