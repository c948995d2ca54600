"""The process between us and PostgreSQL: it runs the server, and ends it when we end.

Run as a script by path, with the standard library alone, so that it starts in a few hundredths of
a second and cannot be disturbed by what is installed. Everything it imports it imports here, and
it uses no text encoding but UTF-8: after it gave up root, the folders of the interpreter may be
closed to it, and even a codec is a module.

Its standard input is the leash. The first line is the plan; nothing more is ever written to it. It
ends when the process that holds the other end lets go or dies, however it dies. The server is then
stopped: politely, then firmly. Should the guardian itself be killed, the kernel ends the server
(Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any

IDENTITY_REFUSED = 71
_LEASH = 0
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_PATH = 900  # bytes; PostgreSQL cuts paths at 1024 and appends to them
_LOG_LIMIT = 16 * 1024 * 1024  # bytes
_IMMEDIATE_SECONDS = 7.0  # the server itself kills its children after 5 s of immediate shutdown
_ORPHAN_SECONDS = 2.0

_OUTLIVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)

_libc = ctypes.CDLL(None, use_errno=True)


def become(identity: dict[str, Any]) -> None:
    """Gives up root for good, as the plan says. Raises OSError where the machine forbids it."""
    if identity["kind"] == "namespace":
        _enter_namespace(identity["inner_uid"], identity["inner_gid"])
    elif identity["kind"] == "setuid":
        os.setgroups([])
        os.setgid(identity["gid"])
        os.setuid(identity["uid"])
    if os.geteuid() == 0:
        raise PermissionError("still root")


def _enter_namespace(uid: int, gid: int) -> None:
    """Keeps our identity towards the file system and looks like `uid` to everything inside."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    if not hasattr(_libc, "unshare"):
        raise OSError("this system has no user namespaces")
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        code = ctypes.get_errno()
        # ENOSPC here has nothing to do with a disk, and must not read as if it had.
        reason = "there may be no more" if code == errno.ENOSPC else os.strerror(code)
        raise OSError(code, reason)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
    _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")


def _write(path: str, text: str) -> None:
    with open(path, "wb") as file:
        file.write(text.encode())


def probe(program: str, folders: Sequence[str]) -> dict[str, Any]:
    """What this identity can reach: may it run the program, in which folders may it make things?"""
    return {
        "program": os.access(program, os.R_OK | os.X_OK),
        "folders": [folder for folder in folders if os.access(folder, os.W_OK | os.X_OK)],
    }


def run(plan: dict[str, Any]) -> int:
    """Runs the steps in order. 0: all ended well, or we were let go. Else the failed one's code."""
    wake = _wake_on_child()
    if hasattr(_libc, "prctl"):
        # Should the server be killed, what it leaves behind becomes ours, and we can end it.
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    data = _reachable(plan["data"], plan["data_fd"])
    code = 0
    for step in plan["steps"]:
        argv = [data if word == "@data@" else word for word in step["argv"]]
        child = _spawn(argv, step["stdin"], keep=(plan["data_fd"], plan["lock_fd"]))
        ended = _watch(child, plan["parent"], wake)
        if ended is None:
            _end(child, plan["stop_timeout"], wake)
        _end_orphans(wake)
        if ended is None:
            break
        if ended != 0:
            code = ended if ended > 0 else 128 - ended
            break
    if plan["scratch"] is not None:
        shutil.rmtree(plan["scratch"], ignore_errors=True)
    return code


def _reachable(path: str, descriptor: int) -> str:
    """The path, or the same folder by its descriptor.

    The descriptor leads there where a folder above is closed to this identity, and spares
    PostgreSQL a path that it cannot hold (too long) or quote (a line break).
    """
    plain = len(os.fsencode(path)) <= _LONGEST_PATH and "\n" not in path and "\r" not in path
    if plain and os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return path
    return f"/proc/self/fd/{descriptor}" if os.path.isdir("/proc/self/fd") else path


def _wake_on_child() -> int:
    """Signals meant for a foreground group are outlived; the end of a child is readable here."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # A handler instead of SIG_IGN: ignored signals would stay ignored in the server.
    for number in _OUTLIVED:
        signal.signal(number, lambda *_: None)
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def _spawn(argv: list[str], text: str, keep: Sequence[int]) -> int:
    readable, writable = os.pipe()
    guardian = os.getpid()
    # A child that is told to end before it runs must hear it: our own handlers would swallow it.
    signal.pthread_sigmask(signal.SIG_BLOCK, _OUTLIVED)
    child = os.fork()
    if child == 0:
        _exec(argv, readable, keep, guardian)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.close(readable)
    with contextlib.suppress(BrokenPipeError):
        os.write(writable, text.encode())  # a few hundred bytes: less than a pipe holds
    os.close(writable)
    return child


def _exec(argv: list[str], stdin: int, keep: Sequence[int], guardian: int) -> None:
    try:
        for number in _OUTLIVED:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        if hasattr(_libc, "prctl"):
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
            if os.getppid() != guardian:
                os._exit(1)
        os.dup2(stdin, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        for descriptor in keep:
            os.set_inheritable(descriptor, True)
        os.execv(argv[0], argv)
    except OSError as error:
        os.write(2, f"could not run {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _watch(child: int, parent: int, wake: int) -> int | None:
    """The child's exit code; None as soon as our parent let go of the leash or died."""
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        # A process forked from our parent may hold the leash open beyond the parent's death.
        if os.getppid() != parent:
            return None
        ready, _, _ = select.select([_LEASH, wake], [], [], 1.0)
        if _LEASH in ready and not os.read(_LEASH, 1):
            return None
        if wake in ready:
            os.read(wake, 512)
        if os.fstat(2).st_size > _LOG_LIMIT:
            os.ftruncate(2, 0)  # all who write to it append


def _end(child: int, patience: float, wake: int) -> None:
    """Fast shutdown; after `patience` seconds immediate; then, if even that fails, by force."""
    for number, seconds in (
        (signal.SIGINT, patience),
        (signal.SIGQUIT, _IMMEDIATE_SECONDS),
        (signal.SIGKILL, 60.0),
    ):
        os.kill(child, number)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            done, _ = os.waitpid(child, os.WNOHANG)
            if done:
                return
            _pause(wake, min(left, 1.0))


def _end_orphans(wake: int) -> None:
    """Returns when nothing that we ran is left. A killed server's idle processes end by themselves;
    one that is busy does not look up from its query, and is killed after a while."""
    patience = time.monotonic() + _ORPHAN_SECONDS
    while True:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if reaped:
            continue
        if time.monotonic() > patience:
            for orphan in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
        _pause(wake, 0.1)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _pause(wake: int, seconds: float) -> None:
    """Sleeps, less long when a child ends."""
    if select.select([wake], [], [], seconds)[0]:
        os.read(wake, 512)


def main() -> int:
    line = sys.stdin.readline()
    if not line:
        return 0  # let go before there was anything to do
    plan = json.loads(line)
    try:
        become(plan["identity"])
    except OSError as error:
        sys.stderr.write(f"{error.strerror or error}\n")
        return IDENTITY_REFUSED
    if "program" in plan:
        sys.stdout.write(json.dumps(probe(plan["program"], plan["folders"])))
        return 0
    return run(plan)


if __name__ == "__main__":
    sys.exit(main())
