"""The control room: the sandbox's own paths, next to the providers' on every port.

``/sandbox/faults``: GET lists, PUT sets one, DELETE ends all (or those of ``?path=``). ``/sandbox/requests``: GET lists
(``?path=``), DELETE forgets. ``/sandbox/switches``: GET shows, PUT changes those that are named. What is wrong in an
input is said in one sentence, with status 422.
"""

from __future__ import annotations

import msgspec

from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.faults import Fault, FaultBoard
from etl_actors.sandbox.journal import Journal
from etl_actors.sandbox.messages import Answer, Request
from etl_actors.sandbox.switches import Switches

CONTROL_PREFIX = "/sandbox/"


class ControlRoom:
    """Answers control requests by turning what it was given."""

    def __init__(self, clock: Clock, faults: FaultBoard, journal: Journal, switches: Switches) -> None:
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._switches = switches

    def answer(self, request: Request) -> Answer:
        """The answer to a control request."""
        try:
            match request.method, request.path:
                case "GET", "/sandbox/faults":
                    return self._fault_list()
                case "PUT", "/sandbox/faults":
                    self._faults.set(msgspec.json.decode(request.body, type=Fault), self._clock.now())
                    return self._fault_list()
                case "DELETE", "/sandbox/faults":
                    self._faults.clear(request.param("path"))
                    return self._fault_list()
                case "GET", "/sandbox/requests":
                    return _json({"requests": self._journal.requests(request.param("path"))})
                case "DELETE", "/sandbox/requests":
                    self._journal.clear()
                    return _json({"requests": []})
                case "GET", "/sandbox/switches":
                    return _json(self._switches)
                case "PUT", "/sandbox/switches":
                    return self._turn(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _json({"error": str(error)}, 422)
        return _json({"error": f"nothing answers {request.method} {request.path}"}, 404)

    def _fault_list(self) -> Answer:
        return _json({"faults": self._faults.active(self._clock.now())})

    def _turn(self, body: bytes) -> Answer:
        named = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        merged = msgspec.json.decode(msgspec.json.encode(self._switches), type=dict[str, msgspec.Raw]) | named
        checked = msgspec.json.decode(msgspec.json.encode(merged), type=Switches)
        for name in Switches.__struct_fields__:
            setattr(self._switches, name, getattr(checked, name))
        return _json(self._switches)


def _json(value: object, status: int = 200) -> Answer:
    return Answer.of(msgspec.json.encode(value), status)
