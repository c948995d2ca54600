"""Load on one server of this machine: by wrk where there is one, else by `bench.client`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson

CONNECTIONS = 16
_ROOT = Path(__file__).resolve().parent.parent
_SCRIPT = Path(__file__).with_name("load.lua")
_GRACE = 60


@dataclass(frozen=True, slots=True)
class Tally:
    """What a load came to; `p50` and so on are latencies in milliseconds."""

    requests: int
    seconds: float
    failures: int
    """Answers that were no 2xx (wrk: 4xx and 5xx), and requests without an answer."""
    p50: float
    p95: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def generator() -> str:
    """What makes the load here."""
    return "wrk" if shutil.which("wrk") else "bench.client"


def save(shots: Iterable[bytes], file: Path) -> Path:
    """Writes whole requests for `load.lua` and `bench.client`: a length on a line, the bytes."""
    with file.open("wb") as stream:
        for shot in shots:
            stream.write(b"%d\n%s" % (len(shot), shot))
    return file


def for_seconds(port: int, shots: Path, seconds: int) -> Tally:
    """Sends the requests of the file in turn, from the start again after the last."""
    if generator() != "wrk":
        return _client(port, shots, seconds, "--repeat")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(shots)]
    return _tally(command, seconds + _GRACE)


def whole_file(port: int, shots: Path, connections: int = CONNECTIONS) -> Tally:
    """Sends each request of the file once, in at most ten minutes, so many at a time."""
    return _client(port, shots, 600, "--connections", str(connections))


def _client(port: int, shots: Path, seconds: int, *options: str) -> Tally:
    command = [sys.executable, "-m", "bench.client", str(port), str(shots)]
    return _tally([*command, "--seconds", str(seconds), *options], seconds + _GRACE)


def _tally(command: list[str], timeout: float) -> Tally:
    done = subprocess.run(
        command, cwd=_ROOT, timeout=timeout, check=True, stdout=subprocess.PIPE, text=True
    )
    return Tally(**orjson.loads(done.stdout.strip().splitlines()[-1]))
