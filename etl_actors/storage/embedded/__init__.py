"""The embedded PostgreSQL: a server of the service's own, for whoever brings none. ``opening`` tells the story."""

from .opening import EmbeddedPostgres, open_embedded, running_conninfo

__all__ = ["EmbeddedPostgres", "open_embedded", "running_conninfo"]
