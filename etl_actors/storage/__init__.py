"""The only room that has heard of PostgreSQL.

``opening`` opens it all; ``embedded/`` is the server for whoever brings none, ``driver/`` psycopg on trio, ``pool``
its connections. The loader's side: ``writer`` (the commit) with ``rows``, ``bookkeeping``, ``published``, ``ids`` and
``partitions``; ``claims`` (who owns a connector). The readers' side: ``reader`` and ``queries``. ``rejected`` is
what could not be mapped (and ``rejected_removal`` how it goes), ``refused`` finds what cannot be stored. ``retention``
drops what is too old or too much; ``migrations/`` is the schema, ``takeover/`` moves in what the original stored.
"""
