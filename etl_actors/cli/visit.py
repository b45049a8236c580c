"""What the commands share that look into the database themselves, whether a service runs or not."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..logs import configure_logs
from ..settings.files import read_configuration

if TYPE_CHECKING:
    from ..storage.pool import Pool

T = TypeVar("T")


def visit(config: Path, data_dir: Path, ask: Callable[[Pool], Awaitable[T]], *, may_create: bool = False) -> T:
    """What ``ask`` answers about the database that the configuration names, with a pool of connections to it."""
    from ..progress import progress  # --help need not wait for all of it
    from ..service import run_until_stopped
    from ..storage.visiting import open_visit

    configuration = read_configuration(config, os.environ)
    configure_logs(debug=configuration.service.logging.debug)
    answers: list[Any] = []

    async def look() -> None:
        with progress() as step:
            async with open_visit(
                configuration.service.database, data_dir, may_create=may_create, progress=step
            ) as visited:
                answers.append(await ask(visited.pool))

    run_until_stopped(look)
    return answers[0]  # type: ignore[no-any-return]  # what `ask` answered
