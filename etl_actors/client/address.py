"""Where the running service is, and the key that it is asked with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from ..errors import UsageError
from ..settings.interpolation import read_variable
from ..settings.secret import Secret

DEFAULT_URL = "http://127.0.0.1:8000"

_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Service(Struct, frozen=True):
    """A running service; an empty key means that none is sent."""

    url: str
    key: Secret

    def httpx_options(self) -> dict[str, Any]:
        """What an httpx client of it is opened with."""
        headers = {"Authorization": f"Bearer {self.key.reveal()}"} if self.key else {}
        # A proxy of the environment cannot reach what is on this machine.
        direct = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
        return {"base_url": self.url, "headers": headers, "mounts": direct}


def find_service(environment: Mapping[str, str], *, url: str | None = None, key_file: Path | None = None) -> Service:
    """The service of ``--url``, else ``ETL_URL``, else on this machine; with the key of ``--key-file``, else of
    ``ETL_API_KEY`` or ``ETL_API_KEY_FILE``.

    Raises :class:`UsageError`, which never repeats a key.
    """
    given = url or environment.get("ETL_URL") or DEFAULT_URL
    source = "--url" if url else "ETL_URL"
    try:
        parts = urlsplit(given)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # no port, or no IPv6 address
        sound = False
    if not sound:
        raise UsageError(f"{source}: this is no address of a service; write it as {DEFAULT_URL}")
    return Service(given.rstrip("/"), Secret(_key(environment, key_file)))


def _key(environment: Mapping[str, str], key_file: Path | None) -> str:
    if key_file is not None:
        source = "--key-file"
        try:
            key: str | None = key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise UsageError(f"{source}: cannot read {key_file}: {reason}") from None
    else:
        source = "ETL_API_KEY"
        try:
            key = read_variable("ETL_API_KEY", environment)
        except LookupError as error:
            raise UsageError(str(error.args[0])) from None
    stripped = (key or "").strip()
    if stripped and not _VISIBLE.fullmatch(stripped):
        raise UsageError(f"{source}: a key is one line of visible ASCII characters, without spaces")
    if key_file is not None and not stripped:
        raise UsageError(f"{source}: {key_file} is empty")
    return stripped
