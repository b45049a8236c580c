"""Keeps keys out of the logs of the libraries below.

httpx logs every request with its whole url at level info; httpcore logs the headers of every answer at level debug, and
a provider may repeat in them what it was sent.
"""

from __future__ import annotations

import logging

import httpx


class _WithoutQuery(logging.Filter):
    """Cuts the user, the query and the fragment out of every url that is about to be logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(bare(arg) if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


_FILTER = _WithoutQuery()


def keep_queries_out_of_logs() -> None:
    """Once is enough; again does nothing."""
    logger = logging.getLogger("httpx")
    if _FILTER not in logger.filters:
        logger.addFilter(_FILTER)
    logging.getLogger("httpcore").setLevel(logging.INFO)


def bare(url: httpx.URL) -> str:
    """The part of a url that can be shown: no user, no query, no fragment."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
