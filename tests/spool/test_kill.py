"""``kill -9`` at any moment loses nothing that was acknowledged, and brings nothing back that was removed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from etl_actors.spool import open_spool
from tests.child import command
from tests.spool.appending import TASKS, numbered

KILLS = 200
LIFE_SECONDS = 0.12  # at most, from the fork on, so that some die while they open it
RUN = 1_000_000  # numbers of the next child begin so much higher
CHECKED = 5  # how many are killed before somebody looks


def lines_of_a_killed_child(parent: subprocess.Popen[str], first: int, seconds: float) -> list[str]:
    """What it printed until it was killed, so many seconds after it was forked."""
    stdin, stdout = pipes(parent)
    stdin.write(f"{first}\n")
    stdin.flush()
    lines: list[str] = []
    while not lines or not lines[-1].startswith("child "):
        line = stdout.readline()
        assert line, "the parent of the children is gone"
        lines.append(line)
    time.sleep(seconds)
    os.kill(int(lines.pop().removeprefix("child ")), signal.SIGKILL)
    while (line := stdout.readline()) != "ended\n":
        assert line, "the parent of the children is gone"
        lines.append(line)
    return lines


def pipes(parent: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    """What it reads from and writes to."""
    assert parent.stdin is not None
    assert parent.stdout is not None
    return parent.stdin, parent.stdout


async def test_two_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there, whole, in order, once; what was removed is not."""
    told: dict[str, set[int]] = {"+": set(), "-": set(), "x": set()}
    appending = command("tests.spool.appending", str(tmp_path))
    with subprocess.Popen(  # noqa: ASYNC220  # nothing else runs here, and what is tested is time on the clock
        appending, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        for run in range(1, KILLS + 1):
            for line in lines_of_a_killed_child(parent, run * RUN, random.uniform(0, LIFE_SECONDS)):
                assert line[0] in told, f"a child says: {line}"
                told[line[0]].add(int(line[1:]))
            if run % CHECKED == 0:
                await check(tmp_path, told)
        pipes(parent)[0].close()
    assert len(told["+"]) > 10 * KILLS
    assert len(told["x"]) > KILLS


async def check(folder: Path, told: dict[str, set[int]]) -> None:
    """Reopen it, and compare with what was told."""
    async with open_spool(folder, max_bytes=64_000_000) as spool:
        assert spool.statistics().damaged == 0
        found = [spooled.batch async for spooled in spool]
        assert len(found) == spool.statistics().batches
    numbers = [one.parts[0].epoch for one in found]
    assert all(one == numbered(number) for one, number in zip(found, numbers, strict=True))
    assert len(set(numbers)) == len(numbers)
    assert told["+"] - told["-"] <= set(numbers)
    assert not told["x"] & set(numbers)
    assert [number // RUN for number in numbers] == sorted(number // RUN for number in numbers)
    for task in range(TASKS):
        own = [number for number in numbers if number % RUN % TASKS == task]
        assert own == sorted(own)
