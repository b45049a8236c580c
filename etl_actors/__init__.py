"""etl-actors: live APIs in; PostgreSQL, REST and a live feed out. One trio process, driven by config files.

Data flows one way, and every arrow is one bounded memory channel of one message type (``messages.py`` tells them as a
story, ``pipeline.py`` draws them)::

    provider ─▶ source ─▶ connector ─▶ transformer ─▶ loader ─▶ broadcaster ─▶ subscriber
                                           │             │
                                        mapping     PostgreSQL ─▶ reader ─▶ REST

Lifetimes nest the other way: storage ⊃ web ⊃ broadcaster · loader · transformer ⊃ connectors. To stop is to end the
innermost and let the rest run dry. Nothing travels back except back-pressure (a full channel) and the checkpoint, which
the loader commits with the data and the connector's next incarnation claims from storage.

The rooms, from the top down; imports point down only, and the wings do not know each other:

- ``cli``: the commands; ``demonstration``: the service against the sandbox
- ``service``: opens storage, starts web, runs the pipeline, listens for signals
- ``opening``: what the service stands on; ``patience``: waits until the database is there; ``revival``: starts the
  embedded one again; ``stopping``: what signals do
- ``doors``: joins what guards the service: keys, and who must show one
- ``reporting``: joins who tells how everything is
- ``assembly``: makes every actor of a configuration and joins them; ``status``: how all of them are, ``metrics``: the
  same for Prometheus, ``tracing``: the way of each answer for OpenTelemetry; ``budget``: what a configuration will
  cost; ``keeping``: the key and the connectors that are kept from run to run
- ``reloading``: what changes in the config folder, taken over while we run
- ``roster``: who is on, and how that changes while we run; ``extraction``: one url, fetched once; ``postbox``: what
  clients say to each other; ``rejected_desk``: what could not be mapped is looked at, dropped, or mapped again
  (``replaying``); ``factory`` makes the actors that read providers
- ``pipeline``: the drawing: which channel leads where, what runs, how it stops
- the wings: ``actors`` (who does what when), ``sources`` (how a provider is read), ``transforms`` (how answers become
  items), ``files`` (what people upload), ``storage`` (all that knows PostgreSQL), ``spool`` (what waits on disk),
  ``web`` (all that knows HTTP to clients), ``sandbox`` (an exchange to try everything with), ``supervisor`` (restarts)
- ``client``: a running service, from outside: the Python classes, and what the commands ``load`` and ``export`` share
- ``vault``: secrets at rest
- ``keys``: what a key of this service is and what it may do
- ``settings``: every knob, decoded strictly from TOML; ``shipped``: where the config that comes with us lies;
  ``logs``, ``progress``: what people see while it runs
- ``ledger``: what was accepted and is not settled yet; ``allocation``: memory that is freed is given back
- ``messages``, ``paging``, ``filtering``, ``wire``, ``errors``: what is said, what is asked, how it looks outside,
  what can go wrong
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import RestConnector, WebSocketConnector

__version__ = "0.1.0"
__all__ = ["RestConnector", "WebSocketConnector", "__version__"]


def __getattr__(name: str) -> Any:
    """The classes are imported when somebody asks for them: most who import a room of this package do not."""
    if name in {"RestConnector", "WebSocketConnector"}:
        from . import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
