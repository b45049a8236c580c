"""The providers' own ways to say no: status, headers and body of each refusal, one table a provider.

Shapes and wordings are the providers'. Where a provider is known to use several bodies for one status, ``Fault.form``
picks one. CryptoCompare reports most errors with status 200; that is the kind ``error_object``, whereas its "429"
carries the same body under the status a gateway in front of it would use.
"""

from __future__ import annotations

import json

from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.faults import Fault
from etl_actors.sandbox.messages import HTML, JSON, JSON_UTF8, Answer

_USUAL_WAIT = {"429": 30.0, "418": 120.0, "503": 5.0}
_RESTRICTED = (
    "Service unavailable from a restricted location according to 'b. Eligibility' in "
    "https://www.binance.com/en/terms. Please contact customer service if you believe you received this message "
    "in error."
)
_COINGECKO_LIMIT = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our "
    "API plans for higher rate limits."
)
_COINGECKO_AGENT = (
    "Please add a descriptive User-Agent to your request. For higher rate limits & stable integration, please "
    "subscribe to our API plans: https://www.coingecko.com/en/api/pricing ."
)
_CRYPTOCOMPARE_KEY = "API key required, please refer to the documentation at https://developers.coindesk.com/"
_NO_STORE = ("Cache-Control", "no-cache, no-store")


def refusal(provider: str, fault: Fault, clock: Clock) -> Answer:
    """The answer of this provider for a fault whose kind is a status or ``error_object``."""
    wait = fault.retry_after if fault.retry_after is not None else _USUAL_WAIT.get(fault.kind)
    body, content_type = _BODIES[provider](fault, clock, wait or 0.0)
    status = 200 if fault.kind == "error_object" else int(fault.kind)
    return Answer.of(body, status, content_type, (*_retry_after(fault, clock, wait), *_usual_headers(provider)))


def missing_user_agent() -> Answer:
    """CoinGecko's answer to a client that does not say who it is."""
    return Answer.of(_coingecko_status(403, _COINGECKO_AGENT), 403, JSON_UTF8)


def missing_key() -> Answer:
    """CryptoCompare's answer to a keyless client."""
    return Answer.of(_dump({"Err": {"message": _CRYPTOCOMPARE_KEY}}), 401, JSON, (_NO_STORE,))


def blocked_page(host: str) -> str:
    """A firewall's page: HTML where JSON is expected."""
    return (
        '<!DOCTYPE html>\n<html class="no-js" lang="en-US">\n<head>\n'
        f"<title>Access denied | {host} used Cloudflare to restrict access</title>\n"
        '<meta charset="UTF-8" />\n</head>\n<body><h1>Error 1020</h1><p>Access denied</p></body>\n</html>\n'
    )


def _retry_after(fault: Fault, clock: Clock, wait: float | None) -> tuple[tuple[str, str], ...]:
    if wait is None or fault.retry_after_form == "none" or fault.kind == "error_object":
        return ()
    if fault.retry_after_form == "date":
        return (("Retry-After", clock.http_date(wait)),)
    return (("Retry-After", str(round(wait))),)


def _usual_headers(provider: str) -> tuple[tuple[str, str], ...]:
    if provider == "cryptocompare":
        return (_NO_STORE, ("X-CryptoCompare-Cache-HIT", "false"))
    return ()


def _binance(fault: Fault, clock: Clock, wait: float) -> tuple[str, str]:
    if fault.kind == "403" and fault.form != "json":
        return blocked_page("api.binance.com"), HTML
    if fault.kind == "451":
        return json.dumps({"code": 0, "msg": _RESTRICTED}, indent=2), JSON
    banned_until = int((clock.now() + wait) * 1000)
    code, text = {
        "429": (
            -1003,
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API.",
        ),
        "418": (
            -1003,
            f"Way too much request weight used; IP banned until {banned_until}. "
            "Please use WebSocket Streams for live updates to avoid bans.",
        ),
        "401": (-2015, "Invalid API-key, IP, or permissions for action."),
        "503": (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
    }.get(fault.kind, (-1000, "An unknown error occurred while processing the request."))
    return _dump({"code": code, "msg": text}), JSON


def _coingecko(fault: Fault, clock: Clock, wait: float) -> tuple[str, str]:
    if fault.kind in ("429", "error_object"):
        if fault.form == "text":
            return "Throttled", "text/plain; charset=utf-8"
        if fault.form == "html":
            return blocked_page("api.coingecko.com"), HTML
        return _coingecko_status(429, _COINGECKO_LIMIT), JSON_UTF8
    if fault.kind == "401":
        nested = {"status": {"error_code": 10002, "error_message": "API Key Missing"}}
        return _dump({"error": nested}), JSON_UTF8
    if fault.kind == "403" and fault.form == "json":
        return _coingecko_status(403, _COINGECKO_AGENT), JSON_UTF8
    return blocked_page("api.coingecko.com"), HTML  # the CDN in front of it answers for everything else


def _cryptocompare(fault: Fault, clock: Clock, wait: float) -> tuple[str, str]:
    if fault.kind in ("429", "error_object"):
        made = {"second": 1, "minute": 12, "hour": 720, "day": 7501, "month": 50001, "total_calls": 150002}
        most = {"second": 20, "minute": 300, "hour": 3000, "day": 7500, "month": 50000}
        error = {
            "Response": "Error",
            "Message": "You are over your rate limit please upgrade your account!",
            "HasWarning": False,
            "Type": 99,
            "RateLimit": {"calls_made": made, "max_calls": most},
            "Data": {},
        }
        return _dump(error), "application/json; charset=UTF-8"
    if fault.kind == "401":
        return _dump({"Err": {"message": _CRYPTOCOMPARE_KEY}}), JSON
    return blocked_page("min-api.cryptocompare.com"), HTML


def _coingecko_status(code: int, message: str) -> str:
    return _dump({"status": {"error_code": code, "error_message": message}})


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


_BODIES = {"binance": _binance, "coingecko": _coingecko, "cryptocompare": _cryptocompare}
