"""The embedded PostgreSQL: a server of the service's own, for whoever brings none. ``opening`` tells the story."""

from .opening import EmbeddedPostgres, make_data_folder, open_embedded, running_conninfo

__all__ = ["EmbeddedPostgres", "make_data_folder", "open_embedded", "running_conninfo"]
