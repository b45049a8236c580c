"""Who runs the embedded PostgreSQL, and what that account can reach.

PostgreSQL refuses to run as root. A service that does not run as root runs it as itself; one that does, runs it under
an account of its own, which has no other right than to its cluster.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

ACCOUNT_NAME = "etl-actors"
OTHERWISE = "or point [database] url (DATABASE_URL) at a PostgreSQL server of your own"


@dataclass(frozen=True)
class Account:
    """``switch`` tells that processes of the server must change to this account, since the service runs as root."""

    name: str
    uid: int
    gid: int
    switch: bool

    @property
    def user(self) -> int | None:
        """The uid to change to, or None to stay who one is."""
        return self.uid if self.switch else None

    @property
    def group(self) -> int | None:
        """The gid to change to, or None."""
        return self.gid if self.switch else None

    def reaches(self, path: Path) -> bool:
        """Whether this account may pass through ``path`` (or run it) and every folder above it, going by modes."""
        real = path.resolve()
        return all(self._may_pass(one) for one in (real, *real.parents))

    def _may_pass(self, path: Path) -> bool:
        found = path.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        groups = {self.gid} if self.switch else {self.gid, *os.getgroups()}
        if found.st_gid in groups:
            return bool(found.st_mode & 0o010)
        return bool(found.st_mode & 0o001)


def service_user() -> str:
    """The name of the account the service runs as. Raises ``UsageError`` when it has none."""
    return _entry(os.geteuid()).pw_name


def choose_account(cluster_owner: int | None) -> Account:
    """The account for a cluster that ``cluster_owner`` (a uid) owns, or for one yet to be made (None).

    Raises ``UsageError`` when there is none and none can be made, or the cluster is somebody else's.
    """
    me = os.geteuid()
    if me != 0:
        entry = _entry(me)
        if cluster_owner not in (None, me):
            raise UsageError(
                f"the embedded database belongs to uid {cluster_owner}, but the service runs as {entry.pw_name}: "
                f"start it as that user, give the data folder to {entry.pw_name}, {OTHERWISE}"
            )
        return Account(entry.pw_name, me, entry.pw_gid, switch=False)
    entry = _entry(cluster_owner) if cluster_owner else _dedicated()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def _entry(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise UsageError(
            f"uid {uid} has no entry in /etc/passwd, and PostgreSQL refuses to run without one: "
            f"add one, run as a user that has one, {OTHERWISE}"
        ) from None


def _dedicated() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        pass
    reason = _create()
    try:
        return pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        raise UsageError(
            f"PostgreSQL refuses to run as root, and the account {ACCOUNT_NAME!r} to run it could not be made "
            f"({reason}): create it, run the service as another user, {OTHERWISE}"
        ) from None


def _create() -> str:
    """Try to make the account; answers why it may not have worked."""
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command += ["--shell", "/usr/sbin/nologin", "--comment", "PostgreSQL of etl-actors", ACCOUNT_NAME]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)  # noqa: S603  # constants only
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return (done.stderr.strip().splitlines() or [f"useradd ended with {done.returncode}"])[-1]
