"""Wrong versions of the package, each with a promise broken in one place, for the suite to find out.

A mutant is a change of the text of one file. Where that text is not found exactly once the mutant is out of date, which
is an error and not a survivor.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from msgspec import Struct

COMMIT = "tests/storage/test_commit.py"


class Mutant(Struct, frozen=True, kw_only=True):
    """``text`` of the file at ``path``, below the package, is ``replaced``; the ``tests`` that are to fail, and what
    one of them is to complain of.
    """

    name: str
    path: str
    text: str
    replaced: str
    tests: tuple[str, ...]
    complaint: str


MUTANTS = (
    Mutant(
        name="acknowledge before it is on disk",
        path="spool/grouping.py",
        text="            stored, refusal = await self._commit(batches)\n",
        replaced="            for one in group:\n                one.woken.set()\n"
        "            stored, refusal = await self._commit(batches)\n",
        tests=("tests/spool/test_kill.py",),
        complaint=r"assert \(?\{.*<= \{|told\[\"\+\"\]",
    ),
    Mutant(
        name="do not fsync",
        path="spool/connection.py",
        text="synchronous = FULL",
        replaced="synchronous = OFF",
        tests=("tests/spool/test_group_commit.py",),
        complaint="assert 0 == 2",
    ),
    Mutant(
        name="drop the fence",
        path="storage/migrations/0008_gaps.sql",
        text="    IF lost IS NOT NULL THEN\n",
        replaced="    IF false THEN\n",
        tests=(f"{COMMIT}::test_a_stale_epoch_is_refused_and_names_the_connector",),
        complaint="DID NOT RAISE .*EpochLost",
    ),
    Mutant(
        name="drop the batch id",
        path="storage/writer.py",
        text="    return {row[0] for row in await cursor.fetchall()}\n",
        replaced="    return {batch.batch_id for batch in batches}\n",
        tests=(f"{COMMIT}::test_a_lost_answer_to_commit_is_no_lost_and_no_double_batch",),
        complaint="assert 3 == 2",
    ),
    Mutant(
        name="leave a session behind",
        path="storage/left_behind.py",
        text="                self._since[session] = monotonic()\n",
        replaced="                pass\n",
        tests=(f"{COMMIT}::test_a_line_that_goes_dead_holds_up_nobody",),
        complaint="TooSlowError",
    ),
    Mutant(
        name="take the locks in one message and give them back in another",
        path="storage/writer.py",
        text="        cursor = await connection.execute(_FINISH_AND_COMMIT, prepare=False)\n",
        replaced='        cursor = await connection.execute(_FINISH_AND_COMMIT.replace("COMMIT", ""), prepare=False)\n'
        '        await connection.execute("COMMIT")\n',
        tests=(f"{COMMIT}::test_a_line_that_goes_dead_holds_up_nobody",),
        complaint="TooSlowError",
    ),
    Mutant(
        name="refuse spooled batches of an old epoch",
        path="actors/batch_remains.py",
        text="            replace(part, epoch=UNOWNED)\n",
        replaced="            part\n",
        tests=("tests/actors/test_loader_backlog.py::test_what_waited_outlives_its_epoch_except_behind_a_cursor",),
        complaint="assert .*UUID",
    ),
    Mutant(
        name="take the offset from a sequence",
        path="storage/migrations/0008_gaps.sql",
        text="    UPDATE stream SET head = head + many RETURNING head INTO last_offset;\n",
        replaced="    SELECT max(nextval('rejected_id_seq')) INTO last_offset FROM generate_series(1, many);\n"
        "    PERFORM pg_sleep(random() / 50);\n"
        "    UPDATE stream SET head = greatest(head, last_offset);\n",
        tests=(f"{COMMIT}::test_two_writers_at_once_leave_no_hole_and_no_disorder",),
        complaint="TooSlowError|assert .* == ",
    ),
    Mutant(
        name="let a session idle in its transaction",
        path="storage/opening.py",
        text="idle_in_transaction_session_timeout=4s",
        replaced="idle_in_transaction_session_timeout=0",
        tests=(f"{COMMIT}::test_a_writer_frozen_before_commit_gives_its_locks_back",),
        complaint="TooSlowError",
    ),
)


def copied_package(folder: Path) -> Path:
    """A copy of the package that these tests test, in ``folder``."""
    spec = importlib.util.find_spec("etl_actors")
    assert spec is not None
    assert spec.origin is not None
    copy = folder / "etl_actors"
    shutil.copytree(Path(spec.origin).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def mutate(package: Path, mutant: Mutant) -> None:
    """Break it."""
    path = package / mutant.path
    said = path.read_text(encoding="utf-8")
    assert said.count(mutant.text) == 1, f"{mutant.name}: its text is there {said.count(mutant.text)} times"
    path.write_text(said.replace(mutant.text, mutant.replaced), encoding="utf-8")
