"""`checkstand demo`: a shop to try, with its own PostgreSQL, in one command."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias, TypeVar

import click
import uvicorn

from checkstand.app import create_app
from checkstand.cli.demo_settings import demo_settings
from checkstand.cli.demo_shop import jwt_secret, prepare, ready, welcome
from checkstand.cli.private_files import write_private
from checkstand.cli.serve import server_options
from checkstand.cli.session import set_up_logging
from checkstand.errors import ConfigurationError
from checkstand.settings import Settings
from checkstand.storage.embedded import EmbeddedPostgres

_Handler: TypeAlias = Callable[[int, FrameType | None], object]
T = TypeVar("T")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one."
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("checkstand-demo"),
    show_default=True,
    help="Where the shop's data and keys are kept.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written once requests are answered, removed at the end: address and keys as JSON.",
)
def demo(host: str, port: int, data_dir: Path, ready_file: Path | None) -> None:
    """Starts PostgreSQL and a demo shop, and prints curl lines to try it.

    Started again on the same folder, it keeps its data and its keys.

    Ctrl-C, SIGTERM and SIGHUP stop everything, once running requests are answered; a second
    Ctrl-C does not wait for them. The exit code is then 0; it is 1 when the demo cannot start.
    """
    stop = _Stop()
    try:
        stop.listen()
        _require_writable(ready_file)
        with _listen(host, port) as listener:
            _run(listener, data_dir, ready_file, stop)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            click.echo("Stopped.", err=True)


def _run(listener: socket.socket, data_dir: Path, ready_file: Path | None, stop: _Stop) -> None:
    base_url = _base_url(listener)
    click.echo(f"Starting PostgreSQL in {data_dir} ...", err=True)
    # The ready file comes second: that of a demo which runs on this folder is not ours to remove.
    with EmbeddedPostgres(data_dir) as postgres, _removed(ready_file):
        stop.check()
        read = partial(demo_settings, postgres.url, base_url, jwt_secret(data_dir))
        settings = read()
        set_up_logging(settings)
        shop = _completed(prepare(settings, data_dir), stop)

        def announce() -> None:
            click.echo(welcome(shop, base_url))
            if ready_file is not None:
                write_private(ready_file, ready(shop, base_url, postgres.url))

        _serve(settings, read, listener, announce, stop)


class _Stop:
    """SIGINT, SIGTERM and SIGHUP: the first one unwinds the demo, as Ctrl-C does by itself, so that
    PostgreSQL is stopped too. Those that follow do not disturb the unwinding."""

    def __init__(self) -> None:
        self._asked = False
        self._gently: _Handler | None = None

    def listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup a terminal that is closed is no reason to stop.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hear)

    def check(self) -> None:
        """KeyboardInterrupt if there was a signal: code that hears one may have swallowed it."""
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def heard_by(self, gently: _Handler) -> Iterator[None]:
        """Inside, signals call `gently` and interrupt nothing: an event loop does not survive that
        in good order. `check` afterwards."""
        self._gently = gently
        try:
            yield
        finally:
            self._gently = None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        first, self._asked = not self._asked, True
        if self._gently is not None:
            self._gently(number, frame)
        elif first:
            raise KeyboardInterrupt


def _completed(work: Coroutine[Any, Any, T], stop: _Stop) -> T:
    """`asyncio.run`, in which the first signal cancels the work: it closes what it opened."""

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            if not task.cancelling():  # a second time would break the closing off
                task.cancel()

        with stop.heard_by(lambda *_: loop.call_soon_threadsafe(cancel)):
            return await work

    try:
        return asyncio.run(cancellable())
    finally:
        stop.check()


def _require_writable(ready_file: Path | None) -> None:
    """Before anything is started: the file itself is written last."""
    if ready_file is not None and not os.access(ready_file.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"cannot write {ready_file}: its folder is not there or not writable; choose another "
            "--ready-file"
        )


@contextmanager
def _removed(ready_file: Path | None) -> Iterator[None]:
    """The ready file is gone at both ends: before, that of a demo that was killed; after, ours."""
    try:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
        yield
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)


def _listen(host: str, port: int) -> socket.socket:
    """The server's socket, taken before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --host or --port"
        ) from None


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Calls `announce` once requests are answered. If that fails, it ends with `failure` set."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None], stop: _Stop) -> None:
        super().__init__(config)
        self._announce = announce
        self._stop = stop
        self.failure: Exception | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        try:
            self._announce()
        except Exception as error:
            self.failure, self.should_exit = error, True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGHUP, too, lets running requests end; and no signal is raised again at the end."""
        with self._stop.heard_by(self.handle_exit):
            yield


def _serve(
    settings: Settings,
    reread: Callable[[], Settings],
    listener: socket.socket,
    announce: Callable[[], None],
    stop: _Stop,
) -> None:
    options: dict[str, Any] = {**server_options(settings), "log_level": "warning"}
    app = create_app(settings, alone=True, reread=reread)
    server = _Server(uvicorn.Config(app, **options), announce, stop)
    stop.check()
    try:
        server.run(sockets=[listener])
    finally:
        stop.check()
    if server.failure is not None:
        raise server.failure
