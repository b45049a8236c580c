"""Fixtures that more than one room's tests use; each is made in a file of its own."""

from __future__ import annotations

from .postgres import database, postgres

__all__ = ["database", "postgres"]
