"""The shipped configuration, and a short way to put an answer through one of its mappings."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from etl_actors.errors import PayloadRefused
from etl_actors.messages import Item
from etl_actors.settings import Configuration, ConnectorSettings, read_configuration
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable

CONFIG = Path(__file__).parents[2] / "config"


@cache
def configuration() -> Configuration:
    """As somebody has it who sets no variable."""
    return read_configuration(CONFIG, {})


def connector(connector_id: str) -> ConnectorSettings:
    """The shipped connector of this id."""
    return next(one for one in configuration().connectors if one.connector_id == connector_id)


def decode(body: bytes) -> Any:
    """``body`` as the service reads it."""
    return decode_document(body, max_depth=configuration().service.upstream.max_depth)


class Mapped:
    """What became of one answer: ``items`` (None where an element was skipped) and ``refused``, by position."""

    def __init__(
        self, connector_id: str, body: bytes, table: SymbolTable, params: dict[str, str] | None = None
    ) -> None:
        settings = connector(connector_id)
        settings = msgspec.structs.replace(settings, params={**settings.params, **(params or {})})
        mapping = Mapping(settings, table)
        document = decode(body)
        self.provider_error = mapping.provider_error(document)
        self.items: list[Item | None] = []
        self.refused: dict[int, PayloadRefused] = {}
        for position, element in enumerate(mapping.elements(document), start=1):
            try:
                self.items.append(mapping.map_element(element, position, settings.request_params()))
            except PayloadRefused as error:
                self.refused[position] = error

    @property
    def kept(self) -> list[Item]:
        """The items without the gaps."""
        return [item for item in self.items if item is not None]
