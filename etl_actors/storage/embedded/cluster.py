"""Making the embedded cluster, and who may connect to it.

A cluster is made under a temporary name and renamed when it is whole, so that one cut short is never taken for one.
Who connects is decided by the kernel (peer authentication on a unix socket), there is no password to leak and no TCP.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import trio

from ...errors import UsageError
from .account import OTHERWISE, Account
from .binaries import MAJOR, Binaries
from .complaints import complaint
from .home import Home, make_folder, sync_folder, write_whole

ROLE = "etl"
DATABASE = "postgres"
# English, so that complaints can be recognised; nothing else of the caller's environment reaches the server.
ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
# For a service that shares its machine. They are written into postgresql.conf once, where people may change them.
TUNING = {
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "min_wal_size": "80MB",
    "huge_pages": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}


async def prepare_cluster(binaries: Binaries, home: Home, account: Account) -> None:
    """Make the cluster unless there is one; write who may connect.

    Raises ``UsageError`` (another major version, no space, no rights) and ``ServiceFailed``.
    """
    _remove_unfinished(home)
    if home.cluster.exists():
        _check_version(home)
    else:
        await _make_cluster(binaries, home, account)


def write_access_rules(home: Home, client: str) -> None:
    """Let the operating system's user ``client`` in as the owner of the database, over the socket, and nobody else."""
    write_whole(home.hba_file, "local all all peer map=service\n", mode=0o644)
    write_whole(home.ident_file, f'service "{client}" {ROLE}\n', mode=0o644)


def _check_version(home: Home) -> None:
    try:
        found = (home.cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise UsageError(f"{home.cluster} is not a PostgreSQL cluster: move it away, {OTHERWISE}") from None
    if found != MAJOR:
        raise UsageError(
            f"{home.cluster} was made by PostgreSQL {found}, this is {MAJOR}: "
            f"export the data with the version of etl-actors that made it, {OTHERWISE}"
        )


def _remove_unfinished(home: Home) -> None:
    for unfinished in home.folder.glob("unfinished-*"):
        shutil.rmtree(unfinished, ignore_errors=True)


async def _make_cluster(binaries: Binaries, home: Home, account: Account) -> None:
    unfinished = home.folder / f"unfinished-{uuid4().hex[:8]}"
    make_folder(unfinished, account)
    try:
        await _initdb(binaries, unfinished, home, account)
        unfinished.rename(home.cluster)
        sync_folder(home.folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


async def _initdb(binaries: Binaries, target: Path, home: Home, account: Account) -> None:
    # The builtin provider sorts by code point whatever the machine's C library, so indexes survive a move.
    command = [str(binaries.program("initdb")), f"--pgdata={target}", f"--username={ROLE}", "--encoding=UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--data-checksums", "--auth-local=peer", "--auth-host=reject"]
    tuning = {**TUNING, "wal_compression": "lz4" if binaries.has_lz4 else "pglz"}
    command += [f"--set={name}={value}" for name, value in tuning.items()]
    done = await trio.run_process(
        command,
        check=False,
        capture_stdout=True,
        capture_stderr=True,
        cwd="/",
        env=ENVIRONMENT,
        user=account.user,
        group=account.group,
        extra_groups=[] if account.switch else None,
    )
    if done.returncode:
        output = done.stderr.decode(errors="replace")
        raise complaint("the database could not be made", output, home.folder)
