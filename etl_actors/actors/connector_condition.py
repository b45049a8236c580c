"""How a connector is, as subscribers are told: its state in one word, and why, in one sentence. Pure."""

from __future__ import annotations

from msgspec import Struct

from .connector_status import State
from .notices import Condition


class Signs(Struct, frozen=True, kw_only=True):
    """What the state of a connector is told from.

    ``held_up`` is why nothing may be read now, if nothing may. ``answered``: it is over the first wait for its
    provider. ``failing``: its last poll brought nothing. ``unmapped`` is why nothing of its newest answer could be
    mapped; ``crashed`` and ``ended`` why it does not run.
    ``interval_seconds`` lie between two polls, and for ``held_seconds`` nobody is let through. ``stale_after_seconds``
    went by without anything fresh; None while it is fresh enough.
    """

    running: bool
    paused: bool = False
    held_up: str | None = None
    answered: bool = False
    failing: bool = False
    throttled: bool = False
    last_error: str | None = None
    unmapped: str | None = None
    crashed: str | None = None
    ended: str | None = None
    interval_seconds: float = 0.0
    held_seconds: float = 0.0
    stale_after_seconds: float | None = None


def state_of(signs: Signs) -> State:
    """The one word. That nothing can be mapped is not among the signs here: it is the transformer's to know."""
    if not signs.running:
        return "failing" if signs.crashed is not None else "stopped"
    if signs.paused or signs.held_up is not None:
        return "paused"
    if signs.failing:
        return "failing"
    return "throttled" if signs.throttled else "running"


def condition_of(signs: Signs) -> Condition | None:
    """The word and its sentence; an answer that cannot be mapped fails, too. None while nobody knows or has to know."""
    state = state_of(signs)
    reason: str | None = None
    match state:
        case "stopped":
            reason = signs.ended
        case "paused" if signs.paused:
            reason = "it was paused; resume it to poll on"
        case "paused":
            reason = f"it goes on by itself: {signs.held_up}"
        case "failing":
            reason = signs.crashed if not signs.running else signs.last_error
        case _ if signs.unmapped is not None:
            state, reason = "failing", signs.unmapped
        case "throttled" if signs.held_seconds > 0:
            reason = f"the provider's limit lets nobody through for {signs.held_seconds:.0f} s more"
        case "throttled":
            reason = f"the provider's limit allows one poll every {signs.interval_seconds:.3g} s"
    stale = signs.stale_after_seconds is not None
    if stale:
        old = f"stale: nothing fresh for {signs.stale_after_seconds:g} s"
        reason = old if reason is None else f"{old}; {reason}"
    if state == "stopped" and signs.ended is None:
        return None  # the service stops
    if state in {"running", "throttled"} and not stale and not signs.answered:
        return None  # whether it runs well is known with its first answer
    return Condition(state=state, reason=reason, stale=stale)
