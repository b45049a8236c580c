"""A durable queue of batches on disk, for when they cannot be stored where they belong.

It has nothing to do with PostgreSQL: it knows messages, files and SQLite, and would keep a batch for any loader. What
is appended is fsynced before the call returns, comes out in order and exactly as it went in, and waits until it is
removed. From the top down: ``spool.py`` is the asynchronous face, ``grouping.py`` commits together what waits together,
``store.py`` (all in one thread) joins the ``file.py`` with the rows, opened by ``opening.py`` and ``connection.py``,
the ``room.py`` it may take with the ``ballast.py``, and each ``ruin.py``: a damaged file, whose ``pages.py`` and
``cells.py`` are read without SQLite. ``record.py`` is a row, ``encoding.py`` the batch in it, ``place.py`` where the
queue is, ``statistics.py`` what is said about it, ``translation.py`` what the rest of the house hears of trouble.
"""

from .spool import Spool, Spooled, open_spool
from .statistics import SpoolStatistics

__all__ = ["Spool", "SpoolStatistics", "Spooled", "open_spool"]
