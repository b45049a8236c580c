"""The reference of connectors says everything that there is, and its examples are sound."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from etl_actors.compiling import read_sound_configuration
from etl_actors.settings import ConnectorSettings, ItemMapping, LimitSettings, Pages, SymbolSettings
from etl_actors.settings.connector import Auth
from etl_actors.settings.paging import Cursor
from etl_actors.transforms.functions import MappingFunctions

REFERENCE = (Path(__file__).parents[2] / "docs" / "CONNECTORS.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
OWN = [name.removeprefix("_func_") for name in vars(MappingFunctions) if name.startswith("_func_")]
KIND = [*get_args(Auth), *get_args(Pages), Cursor, ItemMapping, SymbolSettings, ConnectorSettings]


@pytest.mark.parametrize("kind", KIND, ids=lambda kind: str(kind.__name__))
def test_every_key_is_there(kind: type) -> None:
    """Under its own name."""
    for key in kind.__struct_encode_fields__:  # type: ignore[attr-defined]  # of every struct
        assert re.search(rf"\b{key}\b", REFERENCE), key


def test_every_limit_and_every_function_is_there() -> None:
    """Functions that replace JMESPath's own of the same name are not."""
    assert "weight_per_minute" in REFERENCE
    assert all(f"_{name.rpartition('_')[2]}" in REFERENCE for name in LimitSettings.__struct_fields__)
    theirs = {"to_number", "to_string", "type", "abs", "sum", "avg"}
    for name in set(OWN) - theirs:
        assert re.search(rf"`{name}\(", REFERENCE), name


def test_its_examples_are_sound(tmp_path: Path) -> None:
    """One connector for each line of auth and paging, in a folder with the tables of the end."""
    (tmp_path / "connectors").mkdir()
    lines = [line for text in EXAMPLES[:-1] for line in text.splitlines()]
    connectors = "".join(
        f'[[connectors]]\nconnector_id = "c{number}"\nurl = "https://example.com"\n{line}\n'
        for number, line in enumerate(lines)
    )
    (tmp_path / "connectors" / "all.toml").write_text(EXAMPLES[-1] + connectors)
    assert len(read_sound_configuration(tmp_path, {}).connectors) == len(lines) == 12
