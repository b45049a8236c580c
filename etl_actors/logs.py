"""Structured logs: one stable event name with fields for each real event, e.g. ``loader.batch_written rows=512``.

Readable and coloured on a terminal, one JSON object a line everywhere else. Logs go to stderr; stdout is for the one
line that says where the service listens. What libraries say through the standard library's logging comes out alike.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def configure_logs(*, debug: bool) -> None:
    """Set up structlog and the standard library's logging for this process."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    final: list[Any] = (
        # Tracebacks without the values of variables: there may be secrets among them.
        [structlog.dev.ConsoleRenderer(colors=True, pad_event_to=28, exception_formatter=structlog.dev.plain_traceback)]
        if terminal
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    level = logging.DEBUG if debug else logging.INFO
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    # Libraries are asked for what needs attention only; httpx would otherwise log every url, keys in it included.
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # Of a refused commit it warns, in words of its own, what we are told as an error anyway.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
