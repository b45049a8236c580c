"""Where the configuration that comes with the package lies."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def shipped_config() -> Path:
    """The folder of the shipped config: inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / "shipped_config"
    return installed if installed.is_dir() else _PACKAGE.parent / "config"
