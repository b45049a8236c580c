"""etl-actors: live APIs in; PostgreSQL, REST and a live feed out. One trio process, driven by config files.

Data flows one way, and every arrow is one bounded memory channel of one message type (``messages.py`` tells them as a
story, ``pipeline.py`` draws them)::

    provider ─▶ source ─▶ connector ─▶ transformer ─▶ loader ─▶ broadcaster ─▶ subscriber
                                           │             │
                                        mapping     PostgreSQL ─▶ reader ─▶ REST

Lifetimes nest the other way: storage ⊃ web ⊃ broadcaster · loader · transformer ⊃ connectors. To stop is to end the
innermost and let the rest run dry. Nothing travels back except back-pressure and the committed checkpoint.

The rooms, from the bottom up; each imports only from those above it in this list, and the wings not from each other:

- ``errors``, ``messages``, ``paging``, ``wire``: what is said, and how it looks on the wire
- ``settings``: every knob, decoded strictly from TOML
- the wings: ``sources`` (how a provider is read), ``transforms`` (how an answer becomes items), ``storage`` (all that
  knows PostgreSQL), ``web`` (all that knows HTTP to clients), ``actors`` (who does what when), ``sandbox`` (an exchange
  to try everything with), ``supervisor`` (restarts)
- ``pipeline``: the drawing of the actors; ``status``: how all of them are
- ``service``: opens storage, starts web, runs the pipeline, listens for signals
- ``cli``: the commands
"""

__version__ = "0.1.0"
