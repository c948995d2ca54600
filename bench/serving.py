"""One uvicorn worker in its own process, with the options of `checkstand serve`: shop or floor.

It is told what to serve in a file, listens on a socket that it inherits, and ends when it is
told to or when the process that started it is gone, however that went.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.answers import Answer
from bench.stage import Owner, Stage, bench_settings

ROOT = Path(__file__).resolve().parent.parent
_SECONDS_TO_START = 60
_SECONDS_TO_STOP = 20


@dataclass(frozen=True, slots=True)
class Worker:
    """A server that answers on 127.0.0.1."""

    owner: Owner
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Used since its start, user and system."""
        used = self.process.cpu_times()
        return used.user + used.system

    def resident_mb(self) -> float:
        return self.process.memory_info().rss / 2**20


@contextmanager
def serving(
    owner: Owner, stage: Stage, answers: list[Answer], profile: tuple[str, Path] | None = None
) -> Iterator[Worker]:
    """Starts the worker, waits until it answers, and stops it at the end of the block. `profile`
    is a kind (`profiling.KINDS`) and the file that the profile is written to."""
    plan = stage.folder / f"{owner}.json"
    wanted = {
        "owner": owner,
        "database_url": stage.url,
        "answers": [answer.as_json() for answer in answers],
        "profile": [profile[0], str(profile[1])] if profile else None,
    }
    plan.write_bytes(orjson.dumps(wanted))
    process, port = _start(plan)
    try:
        _await_answer(process, port)
        yield Worker(owner, port, psutil.Process(process.pid))
    finally:
        _stop(process)


def _start(plan: Path) -> tuple[subprocess.Popen[bytes], int]:
    """In a session of its own: Ctrl-C reaches the one who measures, who then stops it."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.serving", str(plan), str(listener.fileno())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            start_new_session=True,
        )
        return process, int(listener.getsockname()[1])


def _await_answer(process: subprocess.Popen[bytes], port: int) -> None:
    """The socket is there already, so the first request waits for the server behind it."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS_TO_START)
    try:
        connection.request("GET", "/wp-json/cocart/v2/cart", headers={"Cart-Key": "none"})
        connection.getresponse().read()
    except OSError as error:
        code = process.poll()
        raise RuntimeError(f"the server to measure did not start ({code}): {error}") from error
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


# --- in the worker's process ----------------------------------------------------------------------


def main(plan: str, listener: str) -> None:
    """Serves until SIGTERM."""
    import uvicorn

    from checkstand.cli.serve import server_options

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    wanted = orjson.loads(Path(plan).read_bytes())
    fast = {"loop": "uvloop", "http": "httptools"}  # else uvicorn takes what it finds
    options = {**fast, **server_options(bench_settings(wanted["database_url"]))}
    options |= {"log_level": "warning", "lifespan": "on"}
    server = uvicorn.Server(uvicorn.Config(_app(wanted), **options))
    sockets = [socket.socket(fileno=int(listener))]
    if wanted["profile"]:
        from bench.profiling import run_profiled

        kind, file = wanted["profile"]
        run_profiled(kind, Path(file), lambda: server.run(sockets=sockets))
    else:
        server.run(sockets=sockets)


def _app(wanted: dict[str, Any]) -> Any:
    url = wanted["database_url"]
    if wanted["owner"] == "floor":
        from bench.floor import Floor

        return Floor(url, [Answer.of(saved) for saved in wanted["answers"]])
    from checkstand.app import create_app

    return create_app(bench_settings(url))


def _end_with_parent() -> None:
    """The parent holds the other end of our stdin; when that is closed, it is gone."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
