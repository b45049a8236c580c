"""Which pair is made of which two assets, for each source: a table, never a guess.

Cutting ``ADAEUR`` by its ending finds ``AD`` and ``AEUR``; only the source knows. Its own list fills the table; until
the first answer a snapshot serves, shipped in our own compact form (every quote asset with its bases, since a pair's
name is the two written together).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..errors import PayloadRefused
from ..settings import SymbolSettings
from ..shipped import shipped_config
from .expressions import compile_expression
from .functions import MappingFunctions
from .numbers import describe

Pairs = dict[str, tuple[str, str]]
_MAX_NAME = 100
# A stroke between two assets, as Coinbase and Kraken write their pairs.
_SEPARATOR = re.compile("[-/]")


class SymbolTable:
    """The pairs of one source. Replacing them takes effect at once wherever the table is held."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Mapping[str, tuple[str, str]] | None = None) -> None:
        self._pairs: Pairs = {}
        if pairs:
            self.replace(pairs)

    def resolve(self, pair: str) -> tuple[str, str] | None:
        """The (base, quote) of exactly this pair, or None. One that its provider writes in two is no guess: BTC-USD."""
        return self._pairs.get(pair) or _written_in_two(pair)

    def replace(self, pairs: Mapping[str, tuple[str, str]]) -> None:
        """From now on these pairs and no others."""
        self._pairs = {pair: (base, quote) for pair, (base, quote) in pairs.items()}

    def __len__(self) -> int:
        return len(self._pairs)


class _EmptyTable(SymbolTable):
    __slots__ = ()

    def replace(self, pairs: Mapping[str, tuple[str, str]]) -> None:
        raise TypeError("EMPTY is shared by every source without a table and stays empty; make a SymbolTable()")


EMPTY: SymbolTable = _EmptyTable()


def read_symbols(document: Any, settings: SymbolSettings) -> Pairs:
    """The pairs in a source's answer; rows without three names are left out, an answer without any row is refused."""
    return symbol_reader(settings)(document)


def symbol_reader(settings: SymbolSettings, *, source_id: str = "", file: str = "") -> Callable[[Any], Pairs]:
    """Compiles the keys of ``settings`` once; :class:`ConfigError` names the one that is wrong."""
    functions = MappingFunctions()
    each, pair, base, quote = (
        compile_expression(getattr(settings, key), functions, file=file, place=f"symbols.{source_id}.{key}").read
        for key in ("each", "pair", "base", "quote")
    )

    def read(document: Any) -> Pairs:
        rows = each(document)
        if not isinstance(rows, list):
            raise PayloadRefused(f"expected a list of pairs at `{settings.each}`, found {describe(rows)}")
        found: Pairs = {}
        for row in rows:
            names = (pair(row), base(row), quote(row))
            if all(map(_is_name, names)):
                found[names[0]] = (names[1], names[2])
        if not found:
            raise PayloadRefused(f"none of the {len(rows):,} rows at `{settings.each}` names a pair and its two assets")
        return found

    return read


def shipped_snapshot(source_id: str, folder: Path | None = None) -> Pairs:
    """The pairs shipped for ``source_id`` in ``folder`` (the shipped config when None); empty when there are none."""
    path = (folder or shipped_config()) / "symbols" / f"{source_id}.toml"
    if not source_id or Path(source_id).name != source_id or not path.is_file():
        return {}
    listed: dict[str, str] = tomllib.loads(path.read_text(encoding="utf-8"))["bases_by_quote"]
    return {base + quote: (base, quote) for quote, bases in listed.items() for base in bases.split()}


def _written_in_two(pair: str) -> tuple[str, str] | None:
    parts = _SEPARATOR.split(pair)
    return (parts[0], parts[1]) if len(parts) == 2 and all(map(_is_name, parts)) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_NAME and "\0" not in value
