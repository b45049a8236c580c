"""psycopg driven by trio: knows nothing of this project and could be published on its own."""

from .connection import Connection

__all__ = ["Connection"]
