"""Files that pages are made of, sent from a folder."""

from __future__ import annotations

from pathlib import Path

from quart import Response, send_from_directory

from .problems import Problem, not_found

# Longer ones make the file system complain.
LONGEST_NAME = 60


async def asset_response(folder: Path, name: str) -> Response:
    """The file ``name`` of ``folder``; 404 where there is none, 412 where another version of it is insisted on."""
    if len(name) > LONGEST_NAME:
        raise not_found("there is no such file")
    response = await send_from_directory(folder, name)
    if response.status_code == 412:
        raise Problem(412, "Precondition failed", "the file is another one than If-Match names")
    # Asked for again each time (an ETag answers most), so that nobody sees the page of an older version.
    response.headers["Cache-Control"] = "no-cache"
    return response
