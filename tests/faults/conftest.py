"""A folder for each test that runs the whole service, and the figures at the end."""

from __future__ import annotations

import pytest

from ..service.conftest import folder
from .rounds import shown

__all__ = ["folder"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, after everything else."""
    if figures := shown():
        terminalreporter.section("what the faults did")
        for figure in figures:
            terminalreporter.line(figure)
