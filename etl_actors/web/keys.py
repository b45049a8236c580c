"""``/api/keys``: keys are listed, made and revoked by whoever holds one with the scope ``admin``."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct
from quart import Blueprint, Response

from ..errors import ConfigError, StorageUnavailable, TooManyKeys
from ..keys import LONGEST_DAYS, KeyRecord, Scope, name_mistake, new_key
from ..settings.decoding import Mistake, convert
from ..wire import iso_time
from . import examples
from .answers import Key, KeysAnswer, NewKey
from .bodies import read_json_object
from .openapi.documented import Answer, Body, documented
from .ports import Doorkeeper, KeyStore
from .problems import Problem, invalid, json_response, no_content, not_found

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
    @documented(
        "List the keys",
        scope="admin",
        answers={200: Answer(KeysAnswer, "All but the first one.", examples.KEYS)},
        problems=(503,),
    )
    async def every() -> Response:
        found = [_described(one) for one in await keys.every()]
        return json_response({"keys": found, "total": len(found)})

    @routes.post("")
    @documented(
        "Make a key",
        scope="admin",
        body=Body({"application/json": Wanted}, required=False, examples={"a reader": examples.KEY_WANTED}),
        answers={
            201: Answer(
                NewKey, "Made; the key is shown this once.", examples.NEW_KEY, headers={"Location": "Where it is."}
            )
        },
        problems=(409, 422, 503),
    )
    async def create() -> Response:
        """Of a key only its SHA-256 is kept."""
        wanted = _read(await read_json_object(BODY_BYTES, required=False))
        days = wanted.expires_days
        expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
        key = new_key()
        try:
            record = await keys.create(key, name=wanted.name, scope=wanted.scope, expires_at=expires_at)
        except TooManyKeys as error:
            raise Problem(409, "Too many keys", str(error)) from None
        # It is stored, and must be shown: a look that fails now succeeds when the key is used first.
        with suppress(StorageUnavailable):
            await doorkeeper.look()
        response = json_response(_described(record) | {"key": key}, 201)
        response.headers["Location"] = f"/api/keys/{record.id}"
        return response

    @routes.get("/<int:key_id>")
    @documented("Show a key", scope="admin", answers={200: Answer(Key, "It.", examples.KEY)}, problems=(503,))
    async def one(key_id: int) -> Response:
        found = await keys.get(key_id) if key_id <= LARGEST_ID else None
        if found is None:
            raise not_found(f"there is no key {key_id}")
        return json_response(_described(found))

    @routes.delete("/<int:key_id>")
    @documented(
        "Revoke a key", scope="admin", answers={204: Answer(None, "It opens nothing any more.")}, problems=(503,)
    )
    async def revoke(key_id: int) -> Response:
        """Sockets that were opened with it are closed within a second or two."""
        if key_id > LARGEST_ID or await keys.revoke(key_id) is None:
            raise not_found(f"there is no key {key_id}")
        await doorkeeper.look()
        return no_content()

    return routes


def _read(document: dict[str, Any]) -> Wanted:
    mistakes: list[Mistake] = []
    wanted = convert(document, Wanted, "", mistakes)
    if wanted is None or mistakes:  # what is wrong was cut out, and the rest looked at
        raise ConfigError(*mistakes)
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
