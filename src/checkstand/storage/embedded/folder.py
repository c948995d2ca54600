"""The data folder: its layout, its two locks, and what is checked before a server may touch it.

    postgres/                     the cluster
    postgres.unfinished/          a cluster in the making; renamed to postgres/ when it is complete
    postgres.log                  what the server says
    postgres.owner.lock           held by the process that started the server
    postgres.server.lock          held by the server's processes themselves, to the end of the last

Anything else in the folder is somebody else's and stays untouched.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checkstand.storage.embedded.binaries import PINNED_MAJOR
from checkstand.storage.embedded.errors import (
    DataFolderInUse,
    DataFolderUnusable,
    DataVersionMismatch,
    DiskFull,
)

POLL_SECONDS = 0.01
_LOG_LIMIT = 4 * 1024 * 1024
_NEW_CLUSTER_BYTES = 80 * 1024 * 1024
_LOW_BYTES = 20 * 1024 * 1024  # less than one WAL segment and a little
_LOG_LINES = 15


class DataFolder:
    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.cluster = self.path / "postgres"
        self.unfinished = self.path / "postgres.unfinished"
        self.log = self.path / "postgres.log"
        self.owner_lock = self.path / "postgres.owner.lock"
        self.server_lock = self.path / "postgres.server.lock"

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Operating system errors inside become refusals that name the folder and the fix."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self.disk_full() from error
            where = error.filename or self.path
            raise DataFolderUnusable(
                f"The data folder {self.path} cannot be used: {where}: {error.strerror or error}. "
                "Choose a folder that this user may write to, or set it free."
            ) from error

    def disk_full(self) -> DiskFull:
        free = shutil.disk_usage(self.path).free // 1024**2
        return DiskFull(
            f"The disk of the data folder {self.path} is full ({free} MB free). Make room "
            f"(a new database needs {_NEW_CLUSTER_BYTES // 1024**2} MB), or choose another folder."
        )

    def is_low_on_room(self) -> bool:
        return shutil.disk_usage(self.path).free < _LOW_BYTES

    # --- locks ----------------------------------------------------------------------------------

    def lock_for_owner(self) -> int:
        """Makes the folder ours for as long as the descriptor is open, or says whose it is."""
        if (self.path / "PG_VERSION").exists():
            raise DataFolderUnusable(
                f"{self.path} is itself a PostgreSQL data folder. Checkstand keeps its own in a "
                "subfolder; choose another folder, or set CHECKSTAND_DATABASE_URL to its server."
            )
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _open_lock(self.owner_lock)
        if not _try_lock(lock):
            owner = os.pread(lock, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(lock)
            raise DataFolderInUse(
                f"The data folder {self.path} is in use by process {owner}. Stop that process, or "
                "choose another data folder."
            )
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock

    def lock_for_server(self, deadline: float) -> int:
        """The lock that the server inherits. Waits for a server whose owner died to finish."""
        lock = _open_lock(self.server_lock)
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                os.close(lock)
                raise DataFolderInUse(
                    f"An earlier server on the data folder {self.path} (process "
                    f"{self._recorded_pid() or 'unknown'}) is still shutting down. Start again "
                    f"when it has ended. To see its processes: fuser -v {self.server_lock}"
                )
            time.sleep(POLL_SECONDS)
        return lock

    def server_has_ended(self, deadline: float) -> bool:
        """Whether no process of the server is left; waits for that until the deadline."""
        with contextlib.suppress(DataFolderInUse):
            os.close(self.lock_for_server(deadline))
            return True
        return False

    # --- contents -------------------------------------------------------------------------------

    def has_cluster(self) -> bool:
        """Whether a cluster of the pinned version is there. Anything else in its place raises."""
        if not self.cluster.exists() or (self.cluster.is_dir() and not any(self.cluster.iterdir())):
            return False
        try:
            version = (self.cluster / "PG_VERSION").read_text().strip()
        except (FileNotFoundError, NotADirectoryError):
            raise DataFolderUnusable(
                f"{self.cluster} exists and is no PostgreSQL data folder. Move it away, or choose "
                "another data folder."
            ) from None
        if version != str(PINNED_MAJOR):
            raise DataVersionMismatch(
                f"The data in {self.cluster} is of PostgreSQL {version}, and this version of "
                f"Checkstand runs PostgreSQL {PINNED_MAJOR}. Dump it with PostgreSQL {version} "
                "(pg_dump) and restore it into a new data folder, or move the folder away."
            )
        return True

    def make_unfinished(self) -> None:
        """An empty place for a new cluster; what an interrupted start left there is thrown away."""
        if self.unfinished.exists():
            shutil.rmtree(self.unfinished)
        if shutil.disk_usage(self.path).free < _NEW_CLUSTER_BYTES:
            raise self.disk_full()
        self.unfinished.mkdir(0o700)

    def adopt_unfinished(self) -> None:
        """The finished cluster takes its name at one stroke, and keeps it through a power cut."""
        self.unfinished.rename(self.cluster)
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def clear_stale_pidfile(self) -> None:
        """Removes what a killed server left. Its process id may long belong to another process.

        Only called under both locks: if a server runs here all the same, people started it by hand.
        """
        pid = self._recorded_pid()
        if pid is not None and self._is_server(pid):
            raise DataFolderInUse(
                f"A PostgreSQL server that Checkstand did not start (process {pid}) runs on "
                f"{self.cluster}. Stop it, or choose another data folder."
            )
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def is_accepting(self) -> bool:
        """Whether the server says that it takes connections."""
        lines = self._pidfile_lines()
        return bool(lines) and lines[-1].strip() == "ready"

    def _is_server(self, pid: int) -> bool:
        if os.path.isdir("/proc/self"):
            # Every process of a server has the cluster as its working directory.
            with contextlib.suppress(OSError):
                return os.path.samefile(f"/proc/{pid}/cwd", self.cluster)
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _recorded_pid(self) -> int | None:
        lines = self._pidfile_lines()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _pidfile_lines(self) -> list[str]:
        try:
            text = (self.cluster / "postmaster.pid").read_text(errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()

    # --- log ------------------------------------------------------------------------------------

    def open_log(self) -> tuple[int, int]:
        """The log, open for appending, and where this start's part begins. A long one is cut."""
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if os.fstat(log).st_size > _LOG_LIMIT:
            os.ftruncate(log, 0)
        return log, os.fstat(log).st_size

    def log_since(self, offset: int) -> str:
        with self.log.open("rb") as file:
            file.seek(offset)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-_LOG_LINES:])


def _open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
