"""Starting and stopping the provider."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def played() -> Iterator[str]:
    """The address of a provider that runs until the end of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "checkstand.testing.provider.server", str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
        )
        port = int(listener.getsockname()[1])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdin is not None
        process.stdin.close()
