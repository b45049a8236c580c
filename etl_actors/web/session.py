"""``/api/session``: the dashboard logs in with a key and gets a cookie, logs out, and asks who it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from quart import Blueprint, Response, request

from ..keys import Caller
from . import examples
from .access.gate import Gate, caller, unauthorised
from .access.presented import NotPresented, presented_key
from .access.sessions import SESSION_SECONDS
from .answers import SessionAnswer
from .bodies import read_body
from .openapi.documented import Answer, Body, documented
from .problems import Problem, invalid, json_response, no_content

LOGIN_BYTES = 4_096


class Login(Struct):
    """What the login form sends."""

    key: str = ""


def session_routes(gate: Gate) -> Blueprint:
    """The routes of this file."""
    routes = Blueprint("session", __name__, url_prefix="/api/session")
    sessions = gate.sessions

    @routes.get("")
    @documented("Who asks", answers={200: Answer(SessionAnswer, "The key's scope and name.", examples.SESSION)})
    async def who() -> Response:
        return json_response(_described(caller()))

    @routes.post("")
    @documented(
        "Log in with a key",
        scope=None,
        body=Body(
            {"application/json": Login},
            "A header may show the key instead.",
            required=False,
            examples={"a key": examples.LOGIN},
        ),
        answers={
            200: Answer(
                SessionAnswer,
                "Logged in.",
                examples.SESSION,
                headers={"Set-Cookie": "The session: HttpOnly, SameSite=Strict, for a week."},
            )
        },
        problems=(401, 422, 429, 503),
    )
    async def log_in() -> Response:
        """The cookie is not the key, and ends with it."""
        found = await gate.authenticate(await _shown(), request)
        token = sessions.begin(found)
        if token is None:
            raise unauthorised("this key has just ended")
        response = json_response(_described(found))
        response.set_cookie(
            sessions.cookie_name,
            token,
            max_age=SESSION_SECONDS,
            path="/",
            secure=request.scheme == "https",
            httponly=True,
            samesite="Strict",
        )
        return response

    @routes.delete("")
    @documented("Log out", scope=None, answers={204: Answer(None, "The session is over.")})
    async def log_out() -> Response:
        sessions.end(request.cookies.get(sessions.cookie_name, ""))
        response = no_content()
        response.delete_cookie(sessions.cookie_name, path="/", httponly=True, samesite="Strict")
        return response

    return routes


async def _shown() -> str:
    """The key in the body, or in a header as everywhere."""
    body = await read_body(LOGIN_BYTES)
    in_body: Sequence[str] = ()
    if body.strip():
        try:
            login = msgspec.json.decode(body, type=Login)
        except msgspec.ValidationError:
            raise invalid("key", 'the body is {"key": "…"}') from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Problem(400, "Not JSON", 'the body is not JSON: it must be {"key": "…"}') from None
        in_body = [login.key] if login.key else []
    try:
        headers = request.headers
        key = presented_key(headers.getlist("Authorization"), [*headers.getlist("X-API-Key"), *in_body])
    except NotPresented as error:
        raise Problem(error.status, "Which key?", str(error)) from None
    if key is None:
        raise unauthorised('give the key to log in with: {"key": "…"}')
    return key


def _described(found: Caller) -> dict[str, object]:
    """Who it is; ``key_id`` is None where no key was asked for."""
    return {"scope": found.scope, "name": found.name, "key_id": found.key_id}
