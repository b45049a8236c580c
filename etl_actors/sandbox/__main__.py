"""The sandbox as a process of its own: ``python -m etl_actors.sandbox [--pairs N] [--seed N] [--ports A,B,C,D,E]``.

Prints one line of JSON with its origins when it is ready. It ends when its standard input does, so that it cannot
outlive whoever started it, and on SIGTERM or SIGINT.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import Any

import trio

from etl_actors.sandbox.exchange import serve_sandbox

_USAGE = "usage: python -m etl_actors.sandbox [--pairs N] [--seed N] [--ports A,B,C,D,E]"
_STDIN = 0


def main(arguments: list[str]) -> int:
    """Runs until told to stop; the exit code."""
    try:
        options = _options(arguments)
    except ValueError as error:
        sys.stderr.write(f"{error}; {_USAGE}\n")
        return 2
    exit_code = 0
    try:
        trio.run(partial(_serve, **options))
    except* OSError as errors:
        sys.stderr.write(f"the sandbox cannot listen: {_first(errors)}\n")
        exit_code = 1
    return exit_code


def _options(arguments: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, text in zip(arguments[::2], [*arguments[1::2], ""], strict=False):
        if name not in ("--pairs", "--seed", "--ports"):
            raise ValueError(f"{name} is not an option")
        numbers = tuple(int(part) if part.isdigit() else -1 for part in text.split(","))
        if min(numbers) < 0 or len(numbers) not in (range(3, 6) if name == "--ports" else (1,)):
            raise ValueError(f"{name} cannot be {text!r}")
        options[name[2:]] = numbers if name == "--ports" else numbers[0]
    return options


def _first(errors: BaseExceptionGroup[OSError]) -> BaseException:
    inner = errors.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


async def _serve(**options: Any) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            sandbox = await nursery.start(partial(serve_sandbox, **options))
            nursery.start_soon(_until_stdin_ends, nursery.cancel_scope)
            sys.stdout.write(json.dumps({"origins": sandbox.origins}) + "\n")
            sys.stdout.flush()
            async for _ in signals:
                nursery.cancel_scope.cancel()


async def _until_stdin_ends(scope: trio.CancelScope) -> None:
    while True:
        try:
            await trio.lowlevel.wait_readable(_STDIN)
        except PermissionError:
            await trio.lowlevel.checkpoint()  # a file or /dev/null cannot be waited for, and never blocks
        if not os.read(_STDIN, 4096):
            scope.cancel()
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
