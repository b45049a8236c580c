"""Joins what guards the service: the first key, the keys of the database, and the policy the web room goes by."""

from __future__ import annotations

import os
from pathlib import Path

import structlog
import trio
from msgspec import Struct

from .actors.doorkeeper import Doorkeeper
from .errors import UsageError
from .keys import new_key
from .settings import Secret, ServiceSettings
from .storage.keys import KeyBook
from .vault.doors import FIRST_KEY_NAME, kept_first_key, session_secret
from .web.access import AccessPolicy
from .web.listener import is_loopback

log = structlog.get_logger("service")


def keys_required(settings: ServiceSettings, host: str) -> bool:
    """Whether every caller must show a key when the service listens on ``host``."""
    wanted = settings.security.require_keys
    return wanted == "yes" or (wanted == "auto" and not is_loopback(host))


class Doors(Struct, frozen=True):
    """Who watches the doors, and by which policy."""

    doorkeeper: Doorkeeper
    policy: AccessPolicy


async def open_doors(
    settings: ServiceSettings, keys: KeyBook, given: Secret | None, *, host: str, data_dir: Path
) -> Doors:
    """Find the first key (``given``, else the one of the data folder) and learn who else may come in."""
    required = keys_required(settings, host)
    first_key = given if given is not None else await _kept_key(data_dir, required=required)
    if not required and not is_loopback(host):
        log.warning("service.open_to_everybody", host=host, require_keys=settings.security.require_keys)
    cors_origins = settings.server.cors_origins
    if "*" in cors_origins and not required:
        # Every page that any browser of this machine shows could else read and change everything.
        cors_origins = tuple(one for one in cors_origins if one != "*")
        log.warning("service.pages_must_be_named", cors_origins=cors_origins, reason="'*' counts only with keys")
    doorkeeper = Doorkeeper(keys, first_key=first_key.reveal())
    await doorkeeper.look()
    secret = await trio.to_thread.run_sync(session_secret, data_dir)
    policy = AccessPolicy(
        doorkeeper=doorkeeper,
        keys=keys,
        keys_required=required,
        listened_host=host,
        session_secret=secret.reveal(),
        cors_origins=cors_origins,
        trusted_proxies=settings.server.trusted_proxies,
        failed_keys_per_minute=settings.security.failed_keys_per_minute,
        requests_per_minute=settings.security.requests_per_minute,
    )
    return Doors(doorkeeper, policy)


async def _kept_key(data_dir: Path, *, required: bool) -> Secret:
    """The first key of the data folder; where it is, and never what it is, is told."""
    try:
        kept = await trio.to_thread.run_sync(_keep, data_dir)
    except UsageError as error:
        if required:
            raise
        # Nobody is asked for a key, so a folder that cannot keep one is no reason not to start.
        log.warning("service.first_key_not_kept", error=str(error))
        return Secret(new_key())
    key, made = kept
    if made or required:
        path = str((data_dir / FIRST_KEY_NAME).resolve())
        log.info("service.first_key", admin_key_file=path, made=made, keys_required=required)
    return key


def _keep(data_dir: Path) -> tuple[Secret, bool]:
    """The key, and whether it was made just now. Blocking. The folder is there, unless the database is elsewhere."""
    try:
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{data_dir} cannot be made: {error.strerror}; choose another --data-dir") from error
    made = not (data_dir / FIRST_KEY_NAME).exists()
    return kept_first_key(data_dir), made
