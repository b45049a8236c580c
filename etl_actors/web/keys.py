"""``/api/keys``: keys are listed, made and revoked by whoever holds one with the scope ``admin``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from quart import Blueprint, Response

from ..errors import TooManyKeys
from ..keys import LONGEST_DAYS, KeyRecord, Scope, name_mistake, new_key
from ..wire import iso_time
from .bodies import read_body
from .ports import Doorkeeper, KeyStore
from .problems import Problem, invalid, json_response, not_found

BODY_BYTES = 16_384
LARGEST_ID = 2**63 - 1


class Wanted(Struct, forbid_unknown_fields=True):
    """A key to be made."""

    name: str = ""
    scope: Scope = "read"
    expires_days: Annotated[float, Meta(gt=0, le=LONGEST_DAYS)] | None = None


def key_routes(keys: KeyStore, doorkeeper: Doorkeeper) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("keys", __name__, url_prefix="/api/keys")

    @routes.get("")
    async def every() -> Response:
        found = [_described(one) for one in await keys.every()]
        return json_response({"keys": found, "total": len(found)})

    @routes.post("")
    async def create() -> Response:
        wanted = _read(await read_body(BODY_BYTES))
        days = wanted.expires_days
        expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
        key = new_key()
        try:
            record = await keys.create(key, name=wanted.name, scope=wanted.scope, expires_at=expires_at)
        except TooManyKeys as error:
            raise Problem(409, "Too many keys", str(error)) from None
        await doorkeeper.look()
        response = json_response(_described(record) | {"key": key}, 201)
        response.headers["Location"] = f"/api/keys/{record.id}"
        return response

    @routes.get("/<int:key_id>")
    async def one(key_id: int) -> Response:
        found = await keys.get(key_id) if key_id <= LARGEST_ID else None
        if found is None:
            raise not_found(f"there is no key {key_id}")
        return json_response(_described(found))

    @routes.delete("/<int:key_id>")
    async def revoke(key_id: int) -> Response:
        if key_id > LARGEST_ID or await keys.revoke(key_id) is None:
            raise not_found(f"there is no key {key_id}")
        await doorkeeper.look()
        return Response(b"", status=204)

    return routes


def _read(body: bytes) -> Wanted:
    try:
        wanted = msgspec.json.decode(body or b"{}", type=Wanted)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        raise invalid(place.rstrip("`").lstrip(".") or "body", reason) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "Not JSON", f"the body is not JSON: {error}") from None
    mistake = name_mistake(wanted.name)
    if mistake is not None:
        raise invalid("name", mistake)
    return wanted


def _described(record: KeyRecord) -> dict[str, Any]:
    times = {
        name: None if at is None else iso_time(at)
        for name, at in (
            ("created_at", record.created_at),
            ("expires_at", record.expires_at),
            ("last_used_at", record.last_used_at),
            ("revoked_at", record.revoked_at),
        )
    }
    return {
        "id": record.id,
        "name": record.name,
        "scope": record.scope,
        "begins": record.hint,
        "state": record.state(datetime.now(UTC)),
        **times,
    }
