"""The suite finds out when a promise is broken: each mutant fails a test, and the true package passes them all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ..child import ROOT
from .mutants import MUTANTS, Mutant, copied_package, mutate
from .rounds import show

SECONDS = 120


def run(package: Path, tests: Sequence[str]) -> tuple[int, str]:
    """pytest's exit code and report of these tests of the package in that place."""
    where = f"import etl_actors, sys; sys.exit(0 if etl_actors.__file__.startswith({str(package)!r}) else 5)"
    environment = os.environ | {"PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-P", "-c", where], env=environment, check=True)
    done = subprocess.run(
        [
            sys.executable, "-P", "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider",
            "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), *(str(ROOT / test) for test in tests),
        ],
        cwd=package.parent, env=environment, capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_broken_promise_is_found_out(mutant: Mutant, tmp_path: Path) -> None:
    """By a test that fails, for the reason that it should."""
    package = copied_package(tmp_path)
    mutate(package, mutant)
    code, report = run(package, mutant.tests)
    assert code == 1, report
    assert re.search(mutant.complaint, report), report
    show(f"mutant found out: {mutant.name}")


def test_the_package_as_it_is_passes(tmp_path: Path) -> None:
    """So it is the mutation that fails, and not the place."""
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests if "test_kill" not in test})
    code, report = run(copied_package(tmp_path), tests)
    assert code == 0, report
