"""Real `checkstand demo` processes: started, watched, told to end, and looked for afterwards."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

PATIENCE = 60.0
"""Seconds that anything may take before a test fails; machines that run tests can be slow."""

COMMAND: Sequence[str] = (str(Path(sys.executable).with_name("checkstand")),)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

T = TypeVar("T")
# No proxy of the machine's between us and the shop.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


def call(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> Answer:
    """One request and its answer, whatever the status."""
    request = urllib.request.Request(url, method=method, headers=dict(headers or {}))
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    if basic is not None:
        token = base64.b64encode(":".join(basic).encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
    try:
        with _opener.open(request, timeout=PATIENCE) as response:
            return Answer(response.status, response.headers, _content(response))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, _content(error))


def _content(response: Any) -> Any:
    text = response.read().decode()
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text


def until(what: Callable[[], T], why: str, seconds: float = PATIENCE, every: float = 0.01) -> T:
    """The first answer of `what` that holds."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() <= deadline, f"not in {seconds:.0f} s: {why}"
        time.sleep(every)
    return found


def environment(**more: str) -> dict[str, str]:
    """Ours, without what would change the shop's settings or send its requests elsewhere."""
    unwanted = ("CHECKSTAND_", "PG", "PYTEST_")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(unwanted) and not name.lower().endswith("_proxy")
    }
    return {**kept, **more}


@dataclass
class Demo:
    """A demo on a data folder. What it prints goes to files beside its ready file."""

    data_dir: Path
    desk: Path
    """A folder for the ready file and the output."""
    command: Sequence[str] = COMMAND
    options: Sequence[str] = ("--port", "0")
    user: int | None = None
    ready_file: Path = Path()
    process: subprocess.Popen[bytes] = field(init=False)
    ready: dict[str, Any] = field(default_factory=dict)
    seen: set[psutil.Process] = field(default_factory=set)
    _stale: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self.desk.mkdir(parents=True)
        if self.ready_file == Path():
            self.ready_file = self.desk / "ready.json"

    @property
    def output(self) -> str:
        return (self.desk / "stdout").read_text()

    @property
    def errors(self) -> str:
        return (self.desk / "stderr").read_text()

    @property
    def base_url(self) -> str:
        return str(self.ready["base_url"])

    @property
    def v2(self) -> str:
        return f"{self.base_url}/wp-json/cocart/v2"

    @property
    def keys(self) -> dict[str, Any]:
        """What has to be the same after every start."""
        return {name: value for name, value in self.ready.items() if name != "base_url"}

    def start(self) -> Demo:
        self.ready, self._stale = {}, self._stamp()
        with (
            (self.desk / "stdout").open("wb") as out,
            (self.desk / "stderr").open("wb") as err,
            _as_in_a_terminal(),
        ):
            self.process = subprocess.Popen(
                [
                    *self.command,
                    "demo",
                    *self.options,
                    f"--data-dir={self.data_dir}",
                    f"--ready-file={self.ready_file}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",  # where no checkstand.toml is
                env=environment(),
                user=self.user,
                extra_groups=None if self.user is None else [],
                # A foreground group of its own, as a terminal would make it.
                start_new_session=True,
            )
        return self

    def wait_ready(self) -> Demo:
        """Returns as soon as the ready file is there, with what it says."""

        def announced() -> bool:
            assert self.running, f"it ended with {self.process.returncode}:\n{self.errors}"
            return self._stamp() not in (None, self._stale)

        until(announced, "the ready file is there", every=0.002)
        self.ready = json.loads(self.ready_file.read_text())
        self.look()
        return self

    def _stamp(self) -> tuple[int, int] | None:
        """Which ready file is there; a killed demo leaves its own behind."""
        with contextlib.suppress(OSError):
            found = self.ready_file.stat()
            return found.st_ino, found.st_mtime_ns
        return None

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def look(self) -> None:
        """Remembers the processes that it has at present."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen.update(psutil.Process(self.process.pid).children(recursive=True))

    def tell(self, number: int) -> None:
        """Sends the signal; Ctrl-C as a terminal does, to the whole foreground group."""
        self.look()
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """The exit code after the signal."""
        self.tell(number)
        return self.wait()

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def left_behind(self) -> list[str]:
        """What is still there of it: descendants, and whatever names or sits in its folder."""
        self.look()
        folder = str(self.data_dir)
        found = {process for process in self.seen if _lives(process)}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                named = any(folder in word for word in process.cmdline())
                if (named or process.cwd().startswith(folder)) and _lives(process):
                    found.add(process)
        return [_describe(process) for process in found]

    def assert_gone(self, seconds: float = PATIENCE) -> None:
        """Nothing of it is left, or will be within `seconds`."""
        until(
            lambda: not self.left_behind(),
            f"processes are left: {self.left_behind()}",
            seconds,
            0.05,
        )

    def clear_away(self) -> None:
        """After a test, however it went: ends this demo's own processes."""
        if not hasattr(self, "process"):
            return
        with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(10)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        # PostgreSQL ends by itself when its owner is gone; a test that says otherwise has failed.
        _, left = psutil.wait_procs(self.seen, timeout=20)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()


@contextlib.contextmanager
def _as_in_a_terminal() -> Iterator[None]:
    """Processes started inside hear all signals, even if this one is a shell's background job."""
    ignored = [number for number in STOPPING if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


def _lives(process: psutil.Process) -> bool:
    try:
        # Whoever inherits an orphan may take its time to reap it.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return f"{process.pid} (gone by now)"
