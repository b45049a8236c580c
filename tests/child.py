"""Runs a module of the tests in a process of its own: ``python -P tests/child.py tests.spool.appending FOLDER``.

These tests are found behind everything that is installed, so that the child tests the same package as its parent.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(module: str, *arguments: str) -> list[str]:
    """What to start."""
    return [sys.executable, "-P", __file__, module, *arguments]


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
