"""One url, fetched once on behalf of a caller: ``POST /api/data/extract``."""

from __future__ import annotations

from quart import Blueprint, Response

from .bodies import read_json_object
from .ports import Extractor
from .problems import json_response

MAX_REQUEST_BYTES = 1_048_576


def extract_routes(extractor: Extractor) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("extract", __name__)

    @routes.post("/api/data/extract")
    async def extract() -> Response:
        return json_response(await extractor.extract(await read_json_object(MAX_REQUEST_BYTES)))

    return routes
