"""Children for a test that kills them: each appends for as long as it lives, and prints what was acknowledged.

``python tests/child.py tests.spool.appending FOLDER`` forks a child for each number that it reads, the first that the
child is to append, and prints its process id; children are forked since a process of its own takes longer to start than
it is to live. Batches are numbered in ``epoch``. A child prints ``+N`` when N was stored, ``-N`` when it is about to
remove N, and ``xN`` when that is done.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from uuid import UUID

import trio

from etl_actors.messages import Batch
from etl_actors.spool import Spool, open_spool
from tests.actors.parts import transformed

TASKS = 3
MOST = 30


def numbered(number: int) -> Batch:
    """The batch of that number; each has another length."""
    part = transformed(items=number % 40, epoch=number, extraction_id=UUID(int=number), body=b"%d" % number * 50)
    return Batch(batch_id=UUID(int=number), parts=(part,), left_by="size")


def tell(text: str) -> None:
    """At once, past every buffer."""
    os.write(1, text.encode())


async def append_on(spool: Spool, first: int, step: int) -> None:
    """One after the other."""
    number = first
    while True:
        if spool.statistics().batches < 2 * MOST:
            await spool.append(numbered(number))
            tell(f"+{number}\n")
            number += step
        else:
            await trio.sleep(0.001)


async def remove_on(spool: Spool) -> None:
    """The oldest, so that no more wait than are soon read."""
    while True:
        first = await spool.first()
        if first is not None and spool.statistics().batches > MOST:
            tell(f"-{first.batch.parts[0].epoch}\n")
            await spool.remove(first.sequence)
            tell(f"x{first.batch.parts[0].epoch}\n")
        await trio.sleep(0.001)


async def live(folder: Path, first: int) -> None:
    """Until somebody kills us."""
    async with open_spool(folder, max_bytes=64_000_000) as spool, trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(append_on, spool, first + number, TASKS)
        nursery.start_soon(remove_on, spool)


def main(folder: Path) -> None:
    """One child after the other."""
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            trio.run(live, folder, int(line))
        tell(f"child {child}\n")
        os.waitpid(child, 0)
        tell("ended\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
