"""`checkstand demo`: a shop to try, with its own PostgreSQL, in one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias, TypeVar

import click
import uvicorn

from checkstand.access import credentials, keys
from checkstand.access import key_store as access
from checkstand.access.key_store import Terms
from checkstand.access.principal import Dialect, Role
from checkstand.access.tokens import SYMMETRIC
from checkstand.app import create_app
from checkstand.catalog import store as catalog
from checkstand.catalog.importers.woocommerce import import_products
from checkstand.cli.demo_settings import demo_settings
from checkstand.cli.serve import server_options
from checkstand.cli.session import set_up_logging
from checkstand.errors import AuthenticationFailed, ConfigurationError
from checkstand.settings import Settings
from checkstand.storage import migrate
from checkstand.storage.database import Database, PoolOptions
from checkstand.storage.embedded import EmbeddedPostgres
from checkstand.tax.importer import import_rates
from checkstand.wiring import base_currency

ADMIN = "admin"
_KEYS_FILE = "demo-keys.json"
_JWT_FILE = "demo-jwt-secret"
_Handler: TypeAlias = Callable[[int, FrameType | None], object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """What a visitor needs; kept in a 0600 file of the data folder, so that it stays the same."""

    consumer_key: str
    consumer_secret: str
    tutorial_consumer_key: str
    tutorial_consumer_secret: str
    admin_username: str
    admin_password: str


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
        settings = demo_settings(postgres.url, base_url, _jwt_secret(data_dir / _JWT_FILE))
        set_up_logging(settings)
        shop = _completed(_prepare(settings, data_dir), stop)

        def announce() -> None:
            click.echo(_welcome(shop, base_url))
            if ready_file is not None:
                _write_private(ready_file, _ready(shop, base_url, postgres.url))

        _serve(settings, listener, announce, stop)


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
    """`asyncio.run`, in which a signal cancels the work, so that it closes what it opened."""

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with stop.heard_by(lambda *_: loop.call_soon_threadsafe(task.cancel)):
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
    settings: Settings, listener: socket.socket, announce: Callable[[], None], stop: _Stop
) -> None:
    options: dict[str, Any] = {**server_options(settings), "log_level": "warning"}
    app = create_app(
        settings,
        alone=True,
        reread=lambda: demo_settings(settings.database.url, settings.server.base_url),
    )
    server = _Server(uvicorn.Config(app, **options), announce, stop)
    stop.check()
    try:
        server.run(sockets=[listener])
    finally:
        stop.check()
    if server.failure is not None:
        raise server.failure


@dataclass(frozen=True, slots=True)
class _DemoShop:
    keys: DemoKeys
    products: list[tuple[int, str]]


async def _prepare(settings: Settings, data_dir: Path) -> _DemoShop:
    """Migrates, and seeds what is not there yet."""
    await migrate.upgrade(settings.database.url)
    database = await Database.open(settings.database.url, PoolOptions(min_size=1, max_size=3))
    try:
        async with database.acquire() as connection:
            # Keys come last: without any, an earlier start was cut off while it filled the shop.
            filled = bool(await access.all_keys(connection))
        if not filled:
            click.echo("Filling the shop ...", err=True)
            with as_file(files("checkstand.ui.demo")) as folder:
                await import_products(
                    database, folder / "products.csv", base_currency(settings.store), None
                )
                await import_rates(database, folder / "tax_rates.csv")
        keys = await _keys(database, data_dir / _KEYS_FILE)
        async with database.acquire() as connection:
            return _DemoShop(keys, await catalog.list_products(connection, 1000))
    finally:
        await database.close()


async def _keys(database: Database, file: Path) -> DemoKeys:
    """The keys of the file, when the database knows them; else new ones, in both."""
    kept = _kept(file)
    if kept is not None and await _still_good(database, kept):
        return kept
    password = secrets.token_urlsafe(12)
    async with database.transaction() as connection:
        reference = await keys.create(connection, Terms("Demo storefront"))
        tutorial = await keys.create(
            connection, Terms("Demo storefront, tutorial dialect", dialect=Dialect.TUTORIAL)
        )
        await credentials.create_account(
            connection, ADMIN, "admin@demo.example", password, Role.ADMINISTRATOR
        )
        made = DemoKeys(
            reference.consumer_key,
            reference.consumer_secret,
            tutorial.consumer_key,
            tutorial.consumer_secret,
            ADMIN,
            password,
        )
        # Inside the transaction: keys that could not be written down are not made.
        _write_private(file, asdict(made))
    return made


def _jwt_secret(file: Path) -> str:
    """What tokens are signed with: kept, so that a restart signs nobody out."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if len(kept := file.read_text().strip()) >= SYMMETRIC["HS256"]:
            return kept
    made = secrets.token_hex(32)
    _write_private_text(file, made)
    return made


def _kept(file: Path) -> DemoKeys | None:
    try:
        return DemoKeys(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


async def _still_good(database: Database, kept: DemoKeys) -> bool:
    verify = credentials.Credentials(database)
    try:
        await verify.consumer_key(kept.consumer_key, kept.consumer_secret)
        await verify.consumer_key(kept.tutorial_consumer_key, kept.tutorial_consumer_secret)
        await verify.account(kept.admin_username, kept.admin_password)
    except AuthenticationFailed:
        return False
    return True


def _ready(shop: _DemoShop, base_url: str, database_url: str) -> dict[str, Any]:
    return {
        "base_url": base_url,
        **asdict(shop.keys),
        "database_url": database_url,
        "products": [{"id": id_, "name": name} for id_, name in shop.products],
    }


def _write_private(file: Path, content: dict[str, Any]) -> None:
    """Writes JSON that only the owner can read, all of it or nothing."""
    _write_private_text(file, json.dumps(content, indent=1))


def _write_private_text(file: Path, text: str) -> None:
    try:
        _replace(file, text)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {file}: {error.strerror}; make room or make it writable"
        ) from None


def _replace(file: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:  # mkstemp makes it 0600
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _welcome(shop: _DemoShop, base_url: str) -> str:
    keys = shop.keys
    shirt = next((id_ for id_, name in shop.products if name == "Premium T-Shirt"), 1)
    api = f"{base_url}/wp-json/cocart"
    auth = f"consumer_key={keys.consumer_key}&consumer_secret={keys.consumer_secret}"
    address = (
        '{"first_name":"Ines","last_name":"Okafor","address_1":"8 Quarry Row","city":"Dunmore",'
        '"state":"CA","postcode":"90011","country":"US","phone":"+13105550142",'
        '"email":"ines@example.com"}'
    )
    return f"""
The shop is open at {base_url}   (API description: {base_url}/openapi.json)

  consumer key, reference dialect (POST processes)   {keys.consumer_key}
                                            secret   {keys.consumer_secret}
  consumer key, tutorial dialect (PUT processes)     {keys.tutorial_consumer_key}
                                            secret   {keys.tutorial_consumer_secret}
  administrator   {keys.admin_username} / {keys.admin_password}

Test payments: "payment_method":"sandbox","payment_data":{{"token":"tok_success"}} when you order,
or tok_declined, tok_requires_action, tok_timeout_after_success and others (docs/howto).

Try it: add to cart, update the checkout, order (paste the lines one after another).

CART_KEY=$(curl -s -X POST {api}/v2/cart/add-item -H 'Content-Type: application/json' \
-d '{{"id":"{shirt}","quantity":"2"}}' | tee /dev/stderr \
| sed -n 's/.*"cart_key":"\\([^"]*\\)".*/\\1/p'); echo

curl -s -X PUT '{api}/preview/checkout?{auth}' -H "Cart-Key: $CART_KEY" \
-H 'Content-Type: application/json' \
-d '{{"billing_address":{address},"shipping_method":"flat_rate:1","payment_method":"bacs"}}'; echo

curl -s -X POST '{api}/preview/checkout?{auth}' -H "Cart-Key: $CART_KEY" \
-H 'Content-Type: application/json' \
-d '{{"billing_address":{address},"payment_method":"bacs"}}'; echo

Ctrl-C stops the shop; its data stays.
"""
