"""Our end of the leash: starting a guardian, letting it go, and leaving it to our parent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from checkstand.storage.embedded.binaries import Step, environment
from checkstand.storage.embedded.identity import GUARDIAN, Identity


@dataclass(frozen=True, slots=True)
class Plan:
    """What a guardian is to run, on which cluster, as whom, and what it removes at the end.

    `server_lock` is inherited by all that it runs; `stop_timeout` is in seconds.
    """

    steps: Sequence[Step]
    data: Path
    identity: Identity
    server_lock: int
    stop_timeout: float
    scratch: Path | None = None


class Leash:
    """Holds a guardian for as long as it is held and we live."""

    def __init__(self, guardian: subprocess.Popen[bytes]) -> None:
        self._guardian = guardian

    @classmethod
    def take(cls, plan: Plan, log: int) -> Leash:
        """Starts a guardian that carries out the plan; `log` is where it and the server write."""
        data_fd = os.open(plan.data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            guardian = subprocess.Popen(
                # -I and -S: neither the environment nor installed packages can disturb or slow it.
                # The last word is for people who look at `ps`.
                [sys.executable, "-I", "-S", str(GUARDIAN), str(plan.data)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=(data_fd, plan.server_lock),
                cwd="/",
                env=environment(),
                # Ctrl-C reaches the whole foreground group: the server must not be in it.
                start_new_session=True,
            )
        finally:
            os.close(data_fd)
        leash = cls(guardian)
        leash._send(_as_json(plan, data_fd))
        return leash

    @property
    def held(self) -> bool:
        return self._guardian.poll() is None

    def wait(self, timeout: float) -> int:
        """The guardian's exit code when it ends by itself; TimeoutError after `timeout` seconds."""
        try:
            code = self._guardian.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        self._close()
        return code

    def let_go(self, patience: float) -> None:
        """Returns when the guardian has ended: by itself, or killed after `patience` seconds."""
        self._close()
        try:
            self._guardian.wait(patience)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            self._guardian.wait()

    def abandon(self) -> None:
        """In a forked child: the guardian is our parent's, and must not be held by us."""
        self._close()
        self._guardian.returncode = 0  # not our child: nothing to wait for

    def _send(self, plan: Mapping[str, object]) -> None:
        assert self._guardian.stdin is not None
        # A guardian that ended at once is noticed where we wait for it.
        with contextlib.suppress(BrokenPipeError):
            self._guardian.stdin.write(json.dumps(plan).encode() + b"\n")
            self._guardian.stdin.flush()

    def _close(self) -> None:
        if self._guardian.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guardian.stdin.close()


def _as_json(plan: Plan, data_fd: int) -> dict[str, object]:
    return {
        "identity": asdict(plan.identity),
        "steps": [{"argv": list(step.argv), "stdin": step.stdin} for step in plan.steps],
        "data": str(plan.data),
        "data_fd": data_fd,
        "lock_fd": plan.server_lock,
        "scratch": None if plan.scratch is None else str(plan.scratch),
        "stop_timeout": plan.stop_timeout,
        "parent": os.getpid(),
    }
