"""A large buffer is a mapping of its own, whatever was freed before: so its memory is given back with it."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

MAPPED = """
import ctypes, sys
from etl_actors.allocation import fix_allocator

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keep")]

told = ctypes.CDLL(None).mallinfo2
told.restype = Info
if sys.argv[1] == "fixed":
    assert fix_allocator()
del (learned := [bytes(8_000_000)])[:]
before = told().hblks
kept = bytes(1_000_000)
print(told().hblks - before)
"""


def mappings(argument: str) -> int:
    """How many there are more when a megabyte is kept, after something larger was freed."""
    done = subprocess.run([sys.executable, "-P", "-c", MAPPED, argument], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="only glibc tells")
def test_what_was_freed_teaches_the_allocator_nothing() -> None:
    """By itself it learns, and takes a large buffer from the heap, where it leaves a hole."""
    assert mappings("fixed") == 1
    assert mappings("as it is") == 0
