"""A folder for each test that runs the whole service."""

from __future__ import annotations

from ..service.conftest import folder

__all__ = ["folder"]
