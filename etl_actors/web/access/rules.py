"""Which route needs which scope. What is not named here needs a key all the same: one by its method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ...keys import Scope

Need = Scope | Literal["nothing"]

# Open to everybody, and nothing of them tells what the service knows. Rules as they are registered.
OPEN_RULES = frozenset({"/", "/healthz", "/readyz", "/dashboard", "/dashboard/<path:name>"})
# Logging in and out is how one comes by a session, so it cannot need one. It looks at the key by itself.
SESSION_RULE = "/api/session"
KEYS_RULE = "/api/keys"
# Pages that need a key; the dashboard's script knows them, too, and leads back to no other.
PAGES = frozenset({"/docs", "/redoc"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def need_of(rule: str | None, method: str) -> Need:
    """What a request needs; ``rule`` is None where no route fits, which nobody without a key shall learn."""
    if rule in OPEN_RULES and method in SAFE_METHODS:
        return "nothing"
    if rule == SESSION_RULE and method in {"POST", "DELETE"}:
        return "nothing"
    if administers_keys(rule):
        return "admin"
    return "read" if method in SAFE_METHODS else "write"


def is_page_for_people(rule: str | None, method: str, accepted: Iterable[str]) -> bool:
    """Whether a browser asks for a page; a program that takes anything (``*/*``) is none."""
    return rule in PAGES and method == "GET" and "text/html" in accepted


def administers_keys(rule: str | None) -> bool:
    """Whether the route makes or ends keys. It needs one even where nothing else does, since keys stay."""
    return rule is not None and (rule == KEYS_RULE or rule.startswith(KEYS_RULE + "/"))
