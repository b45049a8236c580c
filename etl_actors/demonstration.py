"""The demo: the same service, with every provider's address replaced by that of the bundled sandbox.

The sandbox runs as a process of its own, as real providers do, so that its work is not counted as the service's. It
ends when its standard input does, that is with us, however we end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import trio
from msgspec import Struct
from msgspec.structs import replace

from .errors import ServiceFailed
from .service import serve
from .settings import Configuration, LimitSettings

STARTING_SECONDS = 30.0

AnyStruct = TypeVar("AnyStruct", bound=Struct)


async def demonstrate(configuration: Configuration, *, data_dir: Path, host: str | None, port: int | None) -> None:
    """Start the sandbox and run the service against it until stopped."""
    async with open_sandbox_process() as origins:
        await serve(redirected(configuration, origins), data_dir=data_dir, host=host, port=port)


def with_streams(configuration: Configuration) -> Configuration:
    """``configuration`` with every stream switched on."""
    connectors = configuration.connectors
    return replace(
        configuration,
        connectors=tuple(replace(one, enabled=True) if one.kind == "websocket" else one for one in connectors),
    )


def redirected(configuration: Configuration, origins: Mapping[str, str]) -> Configuration:
    """``configuration`` with the addresses in ``origins`` replaced, and without limits: the sandbox has none."""

    def moved(url: str) -> str:
        for real, local in origins.items():
            if url == real or url.startswith((real + "/", real + "?")):
                return local + url.removeprefix(real)
        return url

    return replace(
        configuration,
        connectors=tuple(_with_urls(one, moved) for one in configuration.connectors),
        symbols={name: _with_urls(one, moved) for name, one in configuration.symbols.items()},
        limits={name: LimitSettings() for name in configuration.limits},
    )


def _with_urls(settings: AnyStruct, moved: Callable[[str], str]) -> AnyStruct:
    """``settings`` with every address in it moved: the connector's, its book's snapshot's, and whatever comes."""
    changes: dict[str, Any] = {}
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, str) and (name == "url" or name.endswith("_url")):
            changes[name] = moved(value)
        elif isinstance(value, Struct):
            changes[name] = _with_urls(value, moved)
    return replace(settings, **changes)


@asynccontextmanager
async def open_sandbox_process(*options: str) -> AsyncIterator[dict[str, str]]:
    """The sandbox as a child process; yields where each provider's origin is served now."""
    async with trio.open_nursery() as nursery:
        # A session of its own: Ctrl-C is for us, and ends the sandbox last.
        run = partial(
            trio.run_process,
            [sys.executable, "-m", "etl_actors.sandbox", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            check=False,
        )
        process: trio.Process = await nursery.start(run)
        assert process.stdout is not None
        line = b""
        with trio.move_on_after(STARTING_SECONDS):
            while not line.endswith(b"\n") and (more := await process.stdout.receive_some()):
                line += more
        try:
            origins = msgspec.json.decode(line, type=dict[str, dict[str, str]])["origins"]
        except msgspec.DecodeError:
            raise ServiceFailed("the bundled sandbox did not start") from None
        yield origins
        nursery.cancel_scope.cancel()
