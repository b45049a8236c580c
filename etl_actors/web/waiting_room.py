"""What is served before the database is there: that the service is alive, and that everything else has to wait.

The same doors as later stand before it: who may not know what the service knows is not told what it waits for either,
beyond the routes that are open to everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from quart import Blueprint, Response, request, websocket
from quart_trio import QuartTrio

from .access import AccessPolicy
from .access.rules import KEYS_RULE, SESSION_RULE
from .app import bare_app
from .health import health_routes
from .problems import RETRY_AFTER_SECONDS, Problem
from .stream import come_again, comes_again

ALIVE = frozenset({"/", "/healthz", "/readyz"})


class Absent:
    """The readiness of a service that is not there yet."""

    def __init__(self, reason: Callable[[], str]) -> None:
        self._reason = reason

    def not_ready(self) -> list[str]:
        """Why it is not there."""
        return [self._reason()]

    def stale(self) -> list[str]:
        """Nobody polls yet."""
        return []


def create_waiting_room(
    reason: Callable[[], str], *, version: str, max_body_bytes: int, access: AccessPolicy
) -> QuartTrio:
    """The application before the application; ``reason()`` says, in words for everybody, what is waited for."""
    app = bare_app(max_body_bytes, access)[0]
    app.register_blueprint(health_routes(Absent(reason), version))
    app.register_blueprint(_known_doors())

    # After the gate's own hooks, so that it has spoken first.
    @app.before_request
    async def _ask_to_wait() -> Response | None:
        if comes_again():
            return come_again()
        if request.url_rule is None or request.url_rule.rule not in ALIVE:
            raise _later(reason())
        return None

    @app.before_websocket
    async def _refuse() -> None:
        if websocket.url_rule is None or websocket.url_rule.rule not in ALIVE:
            raise _later(reason())

    return app


def _known_doors() -> Blueprint:
    """Routes that the gate tells from others: behind the dashboard and the login stands no key later, nor now."""
    routes = Blueprint("doors", __name__)

    async def _nobody_comes_here(**_: str) -> NoReturn:
        raise AssertionError("whoever came here was asked to wait")

    routes.add_url_rule("/dashboard", "dashboard", _nobody_comes_here)
    routes.add_url_rule("/dashboard/<path:name>", "asset", _nobody_comes_here)
    routes.add_url_rule(SESSION_RULE, "session", _nobody_comes_here, methods=["POST", "DELETE"])
    routes.add_url_rule(KEYS_RULE, "keys", _nobody_comes_here, methods=["GET", "POST"])
    routes.add_url_rule(f"{KEYS_RULE}/<path:rest>", "key", _nobody_comes_here, methods=["GET", "DELETE"])
    return routes


def _later(reason: str) -> Problem:
    return Problem(
        503, "Not there yet", f"{reason}; try again in a few seconds", headers={"Retry-After": str(RETRY_AFTER_SECONDS)}
    )
