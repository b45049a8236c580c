"""What can be seen of a config folder without reading it: which files there are, and whether they changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

Seen = tuple[int, int, int, int]
"""Device, inode, size, time of the last change."""


class Sight(Struct, frozen=True):
    """The files that matter, by name, as they were at one moment."""

    files: dict[str, Seen]

    def lacking(self, before: Sight) -> frozenset[str]:
        """What was there ``before`` and is gone or empty now; while a file is saved, it may be either."""
        return frozenset(
            name for name, seen in before.files.items() if seen[2] and not self.files.get(name, (0, 0, 0, 0))[2]
        )


def look(folder: Path, secret_files: Iterable[str]) -> Sight:
    """The files of ``folder`` that are read, and ``secret_files``."""
    paths = [folder / "service.toml", *(folder / "connectors").glob("*.toml"), *map(Path, secret_files)]
    seen: dict[str, Seen] = {}
    for path in paths:
        try:
            status = path.stat()
        except (OSError, ValueError):  # gone meanwhile, or no name of a file at all
            continue
        seen[str(path)] = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return Sight(seen)


class NotingEnvironment(Mapping[str, str]):
    """An environment that notes in ``secret_files`` which files it was asked for as ``NAME_FILE``."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.secret_files: set[str] = set()

    def __getitem__(self, name: str) -> str:
        value = self._environment[name]
        if name.endswith("_FILE") and value:
            self.secret_files.add(value)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._environment)

    def __len__(self) -> int:
        return len(self._environment)
