"""Where the embedded cluster lives, and the folders around it.

The home holds the cluster, its socket, its log, and the two files that say who may connect. It is ``postgres/`` in the
data folder, unless the service runs as root in a folder that the server's account cannot reach. No mode of a folder
above is ever changed; the home is then made below a machine-wide folder, and a pointer in the data folder tells where.
A pointer that leads nowhere is an error: starting with an empty database would look like a loss of all data.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ...errors import UsageError
from .account import OTHERWISE, Account

POINTER_NAME = "postgres.location"
MACHINE_FOLDER = Path("/var/lib/etl-actors")
# The longest path of a unix socket, without the zero byte at its end.
SOCKET_PATH_BYTES = 107
SOCKET_NAME = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Home:
    """A folder of the service; ``cluster`` and the socket folder in it belong to the account of the server."""

    folder: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.folder / "cluster"

    @property
    def log(self) -> Path:
        """What the server says; bounded, the part before is ``server.log.1``."""
        return self.folder / "server.log"

    @property
    def hba_file(self) -> Path:
        """Who may connect."""
        return self.folder / "pg_hba.conf"

    @property
    def ident_file(self) -> Path:
        """Which account of the machine is which role."""
        return self.folder / "pg_ident.conf"

    @property
    def socket_note(self) -> Path:
        """Names the socket folder when it is a temporary one, so that a killed service's is removed."""
        return self.folder / "socket.location"

    def cluster_owner(self) -> int | None:
        """The uid that owns the cluster, or None when there is none yet."""
        return self.cluster.stat().st_uid if self.cluster.exists() else None


def known_home(data_dir: Path) -> Home | None:
    """The home that was chosen before, or None. Raises ``UsageError`` when its folder is gone."""
    pointer = data_dir / POINTER_NAME
    if pointer.exists():
        folder = Path(pointer.read_text().strip())
        if not folder.is_dir():
            raise UsageError(
                f"the database of {data_dir} was kept in {folder}, which is gone: "
                f"bring it back, or remove {pointer} to start with an empty one"
            )
        return Home(folder)
    inside = data_dir / "postgres"
    return Home(inside) if inside.is_dir() else None


def choose_home(data_dir: Path, account: Account, machine_folder: Path) -> Home:
    """Make a home that ``account`` can reach, and remember it."""
    if account.reaches(data_dir):
        home = Home(data_dir / "postgres")
        open_folder(home.folder, passable=account.switch)
        return home
    open_folder(machine_folder, passable=True)
    if not account.reaches(machine_folder):
        raise UsageError(
            f"the account {account.name!r}, which runs PostgreSQL, can reach neither {data_dir} nor {machine_folder}: "
            f"let it pass through the folders above one of them, {OTHERWISE}"
        )
    home = Home(machine_folder / uuid4().hex[:12])
    open_folder(home.folder, passable=True)
    write_whole(data_dir / POINTER_NAME, f"{home.folder}\n", mode=0o600)
    return home


def open_folder(path: Path, *, passable: bool) -> None:
    """Make a folder of the service, unless it is there: others may pass through it if ``passable``, never list it."""
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o711 if passable else 0o700)  # whatever the umask


def make_folder(path: Path, account: Account) -> None:
    """A new folder for ``account`` alone."""
    path.mkdir(mode=0o700)
    give_folder(path, account)


def give_folder(path: Path, account: Account) -> None:
    """Hand a folder over, when the server's account is another one than ours."""
    if account.switch:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def make_socket_folder(home: Home, account: Account) -> Path:
    """A fresh, closed folder whose path leaves room for the socket's name."""
    remove_socket_folder(home)
    folder = home.folder / "socket"
    if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES:
        short = tempfile.gettempdir()
        short = short if len(os.fsencode(short)) < SOCKET_PATH_BYTES // 2 else "/tmp"  # noqa: S108  # mkdtemp is safe there
        folder = Path(tempfile.mkdtemp(prefix="etl-", dir=short))
        write_whole(home.socket_note, f"{folder}\n", mode=0o600)
        give_folder(folder, account)
    else:
        make_folder(folder, account)
    return folder


def running_socket_folder(home: Home) -> Path:
    """Where the running server of ``home`` listens."""
    if home.socket_note.exists():
        return Path(home.socket_note.read_text().strip())
    return home.folder / "socket"


def empty_socket_folder(home: Home) -> None:
    """Remove what a server that died left in its socket folder, which stays as closed as it is."""
    for left in running_socket_folder(home).iterdir():
        left.unlink()


def remove_socket_folder(home: Home) -> None:
    """Remove the socket folder of a server that has ended."""
    shutil.rmtree(home.folder / "socket", ignore_errors=True)
    if home.socket_note.exists():
        shutil.rmtree(home.socket_note.read_text().strip(), ignore_errors=True)
        home.socket_note.unlink()


def write_whole(path: Path, text: str, *, mode: int) -> None:
    """Write a small file so that it is there whole or not at all, also after a loss of power."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
