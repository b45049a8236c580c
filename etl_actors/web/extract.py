"""One url, fetched once on behalf of a caller: ``POST /api/data/extract``."""

from __future__ import annotations

from quart import Blueprint, Response

from . import examples
from .answers import ExtractAnswer, ExtractBody
from .bodies import read_json_object
from .openapi.documented import Answer, Body, documented
from .ports import Extractor
from .problems import json_response

MAX_REQUEST_BYTES = 131_072


def extract_routes(extractor: Extractor) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("extract", __name__)

    @routes.post("/api/data/extract")
    @documented(
        "Fetch a url once",
        scope="write",
        body=Body(
            {"application/json": ExtractBody},
            "The mapping goes into `items`, as in a connector; without one the answer is stored as it is.",
            examples={"with a mapping": examples.EXTRACT_SENT},
        ),
        answers={200: Answer(ExtractAnswer, "What came; it is stored.", examples.EXTRACTED)},
        problems=(422, 424, 429, 503),
    )
    async def extract() -> Response:
        return json_response(await extractor.extract(await read_json_object(MAX_REQUEST_BYTES)))

    return routes
