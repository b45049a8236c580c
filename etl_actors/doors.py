"""Joins what guards the service: the first key, the keys of the database, and the policy the web room goes by.

Who must show a key is decided before there is a database, so that nobody comes in while the service waits for one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import structlog
import trio
from msgspec import Struct

from .actors.doorkeeper import Doorkeeper, Store
from .errors import StorageUnavailable, UsageError
from .keys import new_key
from .settings import Secret, ServiceSettings
from .storage.embedded import make_data_folder
from .vault.doors import FIRST_KEY_NAME, kept_first_key, session_secret
from .vault.hidden import Hidden
from .web.access import AccessPolicy
from .web.listener import is_loopback
from .web.ports import KeyStore

log = structlog.get_logger("service")


def keys_required(settings: ServiceSettings, host: str) -> bool:
    """Whether every caller must show a key when the service listens on ``host``."""
    wanted = settings.security.require_keys
    return wanted == "yes" or (wanted == "auto" and not is_loopback(host))


class Doors(Struct, frozen=True, kw_only=True):
    """What is decided without a database: the first key, and who must show one."""

    settings: ServiceSettings
    host: str
    first_key: Secret
    session_secret: Hidden
    keys_required: bool
    cors_origins: tuple[str, ...]

    def doorkeeper(self, store: Store) -> Doorkeeper:
        """Who knows the keys of ``store``, and the first one."""
        return Doorkeeper(store, first_key=self.first_key.reveal())

    def policy(self, doorkeeper: Doorkeeper, keys: KeyStore) -> AccessPolicy:
        """What the web room goes by."""
        return AccessPolicy(
            doorkeeper=doorkeeper,
            keys=keys,
            keys_required=self.keys_required,
            listened_host=self.host,
            session_secret=self.session_secret.reveal(),
            cors_origins=self.cors_origins,
            trusted_proxies=self.settings.server.trusted_proxies,
            failed_keys_per_minute=self.settings.security.failed_keys_per_minute,
            requests_per_minute=self.settings.security.requests_per_minute,
        )

    def closed_policy(self) -> AccessPolicy:
        """The same while there is no database: only the first key opens, and of others nobody can say anything."""
        return self.policy(self.doorkeeper(_NO_KEYS), _NO_KEYS)


class _NoKeys:
    """The keys of a database that is not there."""

    async def _away(self, *_: Any, **__: Any) -> NoReturn:
        raise StorageUnavailable("the database was not there yet")

    active = note_uses = create = every = get = revoke = _away


_NO_KEYS = _NoKeys()


async def open_doors(settings: ServiceSettings, given: Secret | None, *, host: str, data_dir: Path) -> Doors:
    """Find the first key (``given``, else the one of the data folder), and decide who needs one."""
    required = keys_required(settings, host)
    await trio.to_thread.run_sync(make_data_folder, data_dir)
    first_key = given if given is not None else await _kept_key(data_dir, required=required)
    if not required and not is_loopback(host):
        log.warning("service.open_to_everybody", host=host, require_keys=settings.security.require_keys)
    cors_origins = settings.server.cors_origins
    if "*" in cors_origins and not required:
        # Every page that any browser of this machine shows could else read and change everything.
        cors_origins = tuple(one for one in cors_origins if one != "*")
        log.warning("service.pages_must_be_named", cors_origins=cors_origins, reason="'*' counts only with keys")
    return Doors(
        settings=settings,
        host=host,
        first_key=first_key,
        session_secret=await trio.to_thread.run_sync(session_secret, data_dir),
        keys_required=required,
        cors_origins=cors_origins,
    )


async def _kept_key(data_dir: Path, *, required: bool) -> Secret:
    """The first key of the data folder; where it is, and never what it is, is told."""
    made = not (data_dir / FIRST_KEY_NAME).exists()
    try:
        key = await trio.to_thread.run_sync(kept_first_key, data_dir)
    except UsageError as error:
        if required:
            raise
        # Nobody is asked for a key, so a folder that cannot keep one is no reason not to start.
        log.warning("service.first_key_not_kept", error=str(error))
        return Secret(new_key())
    if made or required:
        path = str((data_dir / FIRST_KEY_NAME).resolve())
        log.info("service.first_key", admin_key_file=path, made=made, keys_required=required)
    return key
