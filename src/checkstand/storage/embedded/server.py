"""Starting and stopping the bundled PostgreSQL server. Synchronous: called at both ends only."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from checkstand.storage.embedded import sockets
from checkstand.storage.embedded.binaries import DATABASE, PORT, Binaries
from checkstand.storage.embedded.errors import EmbeddedError, NotRunning, StartFailed, StopFailed
from checkstand.storage.embedded.folder import POLL_SECONDS, DataFolder
from checkstand.storage.embedded.identity import (
    Identity,
    RunAs,
    find_standing,
    give,
)
from checkstand.storage.embedded.leash import Leash, Plan

_GUARDIAN_SECONDS = 15.0  # on top of a fast shutdown: immediate shutdown, force, tidying up


class EmbeddedPostgres:
    """A private PostgreSQL 16 on `data_dir`, reachable through a Unix socket of this user only.

    One server per data folder. It ends with `stop`, with the `with` block, and when this process
    dies in whatever way; the next start then recovers. Only the process that started it can stop
    it. `durable=False` is for tests: it is faster, but a power cut may destroy the data and a kill
    may lose the last second of it.

    `start_timeout` is how long, in seconds, each part of a start may take (an earlier server's
    end, making the cluster, recovery); `stop_timeout` how long running transactions may take to
    be ended before the server is stopped hard (which loses nothing that was committed).
    `run_as` chooses what root does to be allowed to run PostgreSQL; "auto" finds what works.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        run_as: RunAs = "auto",
        start_timeout: float = 60.0,
        stop_timeout: float = 20.0,
    ) -> None:
        self._folder = DataFolder(data_dir)
        self._durable = durable
        self._run_as: RunAs = run_as
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._owner_lock: int | None = None
        self._socket_folder: Path | None = None
        self._leash: Leash | None = None
        self._log_offset = 0
        _instances.add(self)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._leash is not None and self._leash.held

    @property
    def url(self) -> str:
        """For asyncpg, psql and psycopg; for SQLAlchemy with `postgresql+asyncpg` in front.

        It stays the same from start to start unless the temporary folder changes.
        """
        if self._socket_folder is None or not self.running:
            raise NotRunning(f"The database server of {self._folder.path} is not running.")
        folder = quote(str(self._socket_folder))
        return f"postgresql://{DATABASE}@/{DATABASE}?host={folder}&port={PORT}"

    def start(self) -> None:
        """Returns when connections are accepted; does nothing when already started."""
        if self.running:
            return
        self.stop()
        try:
            with self._folder.named_errors():
                self._owner_lock = self._folder.lock_for_owner()
                server_lock = self._folder.lock_for_server(self._deadline())
            try:
                self._launch(server_lock)
            finally:
                # The server's processes hold it now: it is free when the last of them has ended.
                os.close(server_lock)
            self._await_accepting()
        except OSError as error:
            self._tidy_up()
            raise StartFailed(f"The database server could not be started: {error}") from error
        except BaseException:
            self._tidy_up()
            raise

    def stop(self) -> None:
        """Returns when no process of the server is left; does nothing when already stopped."""
        leash, self._leash = self._leash, None
        try:
            if leash is not None:
                leash.let_go(self._stop_timeout + _GUARDIAN_SECONDS)
                if not self._folder.server_has_ended(time.monotonic() + _GUARDIAN_SECONDS):
                    raise StopFailed(
                        f"The database server of {self._folder.path} did not end. To see its "
                        f"processes: fuser -v {self._folder.server_lock}"
                    )
        finally:
            if self._socket_folder is not None:
                shutil.rmtree(self._socket_folder, ignore_errors=True)
                self._socket_folder = None
            if self._owner_lock is not None:
                os.close(self._owner_lock)
                self._owner_lock = None

    def _launch(self, server_lock: int) -> None:
        folder, binaries = self._folder, Binaries.locate()
        with folder.named_errors():
            has_cluster = folder.has_cluster()
            standing = find_standing(
                self._run_as,
                folder.cluster,
                program=binaries.postgres,
                folders=sockets.temporary_roots(),
            )
        identity = standing.identity
        self._socket_folder = sockets.claim(standing.folders, folder.path, identity)
        if not standing.runs_program:
            programs = self._socket_folder / "programs"
            binaries = binaries.copied_to(programs)
            give(programs, identity)
        if not has_cluster:
            self._make_cluster(binaries, identity, server_lock)
        with folder.named_errors():
            folder.clear_stale_pidfile()
            give(folder.cluster, identity)
            self._run(
                Plan(
                    [binaries.step_to_serve(self._socket_folder, durable=self._durable)],
                    folder.cluster,
                    identity,
                    server_lock,
                    self._stop_timeout,
                    scratch=self._socket_folder,
                )
            )

    def _make_cluster(self, binaries: Binaries, identity: Identity, server_lock: int) -> None:
        folder = self._folder
        # Old systems know no C.UTF-8; plain C differs only in the case of letters beyond ASCII.
        for ctype in ("C.UTF-8", "C"):
            steps = binaries.steps_to_make(ctype=ctype, durable=self._durable)
            with folder.named_errors():
                folder.make_unfinished()
                give(folder.unfinished, identity)
                leash = self._run(
                    Plan(steps, folder.unfinished, identity, server_lock, self._stop_timeout)
                )
            try:
                code = leash.wait(self._start_timeout)
            except TimeoutError:
                raise self._failure("could not be created in time") from None
            if code == 0:
                with folder.named_errors():
                    folder.adopt_unfinished()
                return
            if "invalid locale name" not in folder.log_since(self._log_offset):
                break
        raise self._failure("could not be created")

    def _run(self, plan: Plan) -> Leash:
        log, self._log_offset = self._folder.open_log()
        try:
            self._leash = Leash.take(plan, log)
        finally:
            os.close(log)
        return self._leash

    def _await_accepting(self) -> None:
        deadline = self._deadline()
        while not self._folder.is_accepting():
            if not self.running:
                raise self._failure("ended while it started")
            if time.monotonic() > deadline:
                raise self._failure("accepted no connections in time")
            time.sleep(POLL_SECONDS)

    def _failure(self, what: str) -> EmbeddedError:
        words = self._folder.log_since(self._log_offset)
        if "No space left on device" in words or self._folder.is_low_on_room():
            return self._folder.disk_full()
        return StartFailed(
            f"The database in {self._folder.path} {what}. The whole log is in "
            f"{self._folder.log}; its last lines:\n{words or '(none)'}"
        )

    def _deadline(self) -> float:
        return time.monotonic() + self._start_timeout

    def _tidy_up(self) -> None:
        # The reason why the start failed must not be hidden by what follows from it.
        with contextlib.suppress(EmbeddedError, OSError):
            self.stop()

    def _abandon(self) -> None:
        """In a forked child: the server is our parent's; it must not outlive it because of us."""
        if self._leash is not None:
            self._leash.abandon()
        if self._owner_lock is not None:
            os.close(self._owner_lock)
        self._leash = self._owner_lock = self._socket_folder = None


_instances: weakref.WeakSet[EmbeddedPostgres] = weakref.WeakSet()


def _abandon_all() -> None:
    for instance in list(_instances):
        instance._abandon()


os.register_at_fork(after_in_child=_abandon_all)
