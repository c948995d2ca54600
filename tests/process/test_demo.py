"""`checkstand demo` as people run it: real processes, told to end in every way there is."""

from __future__ import annotations

import asyncio
import csv
import ctypes
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from tests.process.demo_process import (
    COMMAND,
    PATIENCE,
    STOPPING,
    Answer,
    Demo,
    call,
    environment,
    until,
)

READY = [
    "base_url",
    "consumer_key",
    "consumer_secret",
    "tutorial_consumer_key",
    "tutorial_consumer_secret",
    "admin_username",
    "admin_password",
    "database_url",
    "products",
]
SPOKEN = "Läden & Söhne"  # a space and letters beyond ASCII, in every path below
NOBODY = 65534

Start = Callable[..., Demo]
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as someone else")


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[Start]:
    """Makes demos, to be started by the test, and leaves nothing of them behind."""
    made: list[Demo] = []

    def make(data_dir: Path | None = None, **options: Any) -> Demo:
        folder = data_dir or tmp_path / SPOKEN / "demo data"
        made.append(Demo(folder, tmp_path / f"desk {len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.clear_away()


@dataclass(frozen=True)
class Home:
    """A demo's data folder, and what has to be the same at the next start."""

    demo: Demo
    data_dir: Path
    keys: dict[str, Any]
    contents: str
    cart_key: str


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The first start on a new folder."""
    folder = tmp_path_factory.mktemp("first")
    demo = Demo(folder / SPOKEN / "demo data", folder / "desk")
    try:
        demo.start().wait_ready()
        yield Home(demo, demo.data_dir, demo.keys, contents(demo), cart_of(demo))
    finally:
        demo.clear_away()


@pytest.fixture
def shop(first: Home) -> Demo:
    """A running demo, for tests that leave it running."""
    return first.demo if first.demo.running else first.demo.start().wait_ready()


@pytest.fixture
def home(first: Home) -> Home:
    """The same folder without a demo on it, for tests that start their own."""
    if first.demo.running:
        assert first.demo.end() == 0
    return first


# --- a running demo -----------------------------------------------------------------------------


def test_the_ready_file_says_all_that_a_script_needs(shop: Demo) -> None:
    assert list(shop.ready) == READY
    assert stat.S_IMODE(shop.ready_file.stat().st_mode) == 0o600
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", shop.base_url)
    for name in READY[:-1]:
        assert shop.ready[name]
    assert all(list(product) == ["id", "name"] for product in shop.ready["products"])
    assert {"Premium T-Shirt"} <= {product["name"] for product in shop.ready["products"]}


def test_the_keys_are_kept_privately(shop: Demo) -> None:
    file = shop.data_dir / "demo-keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    kept = json.loads(file.read_text())
    assert kept == {name: shop.ready[name] for name in kept}
    assert stat.S_IMODE(shop.data_dir.stat().st_mode) == 0o700


def test_it_prints_a_welcome_and_no_noise(shop: Demo) -> None:
    assert f"The shop is open at {shop.base_url} " in shop.output
    for name in READY[1:7]:
        assert shop.ready[name] in shop.output
    lines = [line for line in shop.errors.splitlines() if line != "Filling the shop ..."]
    assert lines == [f"Starting PostgreSQL in {shop.data_dir} ..."]


def test_the_shop_has_all_that_the_package_brings(shop: Demo) -> None:
    for table in ("products", "tax_rates"):
        text = files("checkstand.ui.demo").joinpath(f"{table}.csv").read_text()
        rows = list(csv.DictReader(text.splitlines()))
        assert ask(shop, f"SELECT count(*) FROM {table}") == len(rows) > 10


def test_the_printed_lines_work_when_pasted(shop: Demo) -> None:
    text = shop.output
    script = text[text.index("CART_KEY=") : text.index("Ctrl-C stops")]
    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    added = json.loads(done.stderr)
    assert added["item_count"] == 2
    updated, ordered = (json.loads(line) for line in done.stdout.splitlines() if line)
    assert updated["shipping_method"] == "flat_rate:1"
    assert ordered["order_id"] > 0
    assert ordered["payment_result"]["payment_status"] == "success"


def test_both_dialects_order(shop: Demo) -> None:
    ready = shop.ready
    for kind, method in (("", "POST"), ("tutorial_", "PUT")):
        key, secret = ready[f"{kind}consumer_key"], ready[f"{kind}consumer_secret"]
        answer = call(
            method,
            f"{shop.base_url}/wp-json/cocart/preview/checkout"
            f"?consumer_key={key}&consumer_secret={secret}",
            {
                "billing_address": {
                    "first_name": "Ines", "last_name": "Okafor", "address_1": "8 Quarry Row",
                    "city": "Dunmore", "state": "CA", "postcode": "90011", "country": "US",
                    "phone": "+13105550142", "email": "ines@example.com",
                },
                "payment_method": "bacs",
            },
            headers={"Cart-Key": cart_of(shop)},
        )  # fmt: skip
        assert answer.body["order_id"] > 0, (method, answer)


def test_the_database_is_open_to_psql_and_to_drivers(shop: Demo) -> None:
    url = shop.ready["database_url"]
    assert ask(shop, "SELECT count(*) FROM products WHERE published AND parent_id IS NULL") == len(
        shop.ready["products"]
    )
    if psql := shutil.which("psql"):
        done = subprocess.run(
            [psql, "-X", "-A", "-t", "-c", "SELECT count(*) > 0 FROM tax_rates", url],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment(),
        )
        assert (done.stdout, done.returncode) == ("t\n", 0), done.stderr


def test_the_administrator_signs_in(shop: Demo) -> None:
    admin = (shop.ready["admin_username"], shop.ready["admin_password"])
    account = ask(shop, "SELECT id FROM accounts WHERE username = 'admin'")
    shirt = {"id": str(shop.ready["products"][0]["id"]), "quantity": "1"}
    assert call("POST", f"{shop.v2}/cart/add-item", shirt, basic=admin).status == 200
    cart = call("GET", f"{shop.v2}/cart", basic=admin)
    assert (cart.status, cart.body["cart_key"]) == (200, str(account))
    assert call("GET", f"{shop.v2}/cart", basic=("admin", "wrong")).status in (401, 403)


def test_a_reload_signs_nobody_out(shop: Demo) -> None:
    admin = (shop.ready["admin_username"], shop.ready["admin_password"])
    token = call("POST", f"{shop.v2}/login", {}, basic=admin).body["extras"]["jwt_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    here = {"CHECKSTAND_DATABASE__URL": shop.ready["database_url"]}
    subprocess.run([*COMMAND, "reload"], check=True, env=environment(**here), capture_output=True)
    until(lambda: "the settings were read again" in shop.errors, "the reload is done")
    assert call("GET", f"{shop.v2}/my-account", headers=bearer).status == 200


# --- starts that fail ---------------------------------------------------------------------------


def assert_refused(demo: Demo, *words: str) -> None:
    """It ended with 1, one line that says why, and nothing left of it."""
    assert demo.wait() == 1, demo.errors
    lines = [line for line in demo.errors.splitlines() if not line.startswith("Starting ")]
    assert len(lines) == 1, demo.errors
    assert lines[0].startswith("checkstand: ")
    for word in words:
        assert word in lines[0]
    assert demo.output == ""


def test_a_second_demo_on_the_folder_is_refused(shop: Demo, demos: Start) -> None:
    # A script that is started twice names the same ready file, too.
    second = demos(shop.data_dir, ready_file=shop.ready_file).start()
    assert_refused(second, str(shop.data_dir), "in use", str(shop.process.pid))
    assert json.loads(shop.ready_file.read_text()) == shop.ready
    assert call("GET", f"{shop.v2}/cart").status == 200


def test_a_port_in_use_is_refused(demos: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = demos(options=("--port", str(port))).start()
        assert_refused(demo, f"127.0.0.1:{port}", "in use", "--port")
    assert demo.left_behind() == []
    assert not demo.data_dir.exists()


def test_a_data_folder_that_cannot_be_used_is_refused(tmp_path: Path, demos: Start) -> None:
    (tmp_path / "file").write_text("no folder")
    closed = tmp_path / "read-only"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:
        closed = Path("/sys/kernel")  # closed to root as well
    nowhere, unwritable = demos(tmp_path / "file" / "data").start(), demos(closed).start()
    assert_refused(nowhere, str(nowhere.data_dir), "Not a directory")
    assert_refused(unwritable, str(closed), "Permission denied")
    assert nowhere.left_behind() == unwritable.left_behind() == []


def test_a_ready_file_that_cannot_be_written_is_refused(tmp_path: Path, demos: Start) -> None:
    nowhere = tmp_path / "no such folder" / "ready.json"
    demo = demos(ready_file=nowhere).start()
    assert_refused(demo, str(nowhere), "--ready-file")
    assert not demo.data_dir.exists()


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STOPPING, ids=lambda number: number.name)
async def test_a_signal_ends_it_once_the_running_request_is_answered(
    home: Home, demos: Start, number: int
) -> None:
    demo = demos(home.data_dir)
    with watched(demo.desk) as changes:
        demo.start().wait_ready()
        assert demo.keys == home.keys
        before = item_count(demo, home.cart_key)
        assert before > 0
        async with locked(demo, home.cart_key) as is_waited_for:
            adding = asyncio.create_task(asyncio.to_thread(add_shirt, demo, home.cart_key))
            while not await is_waited_for():
                await asyncio.sleep(0.01)
            demo.tell(number)
            until(lambda: not accepts(demo), "it takes no new connections")
            assert demo.running
        answer = await adding
        assert (answer.status, answer.body["item_count"]) == (200, before + 1)
        assert await asyncio.to_thread(demo.wait) == 0
        assert demo.left_behind() == []
        if sys.platform == "linux":
            # Never there in part: it took its name when it was complete.
            assert changes("ready.json") == ["moved_to", "delete"]
    assert not demo.ready_file.exists()
    assert demo.errors.splitlines() == [f"Starting PostgreSQL in {demo.data_dir} ...", "Stopped."]


def test_after_a_kill_nothing_is_left_and_the_next_start_has_it_all(
    home: Home, demos: Start
) -> None:
    demo = demos(home.data_dir).start().wait_ready()
    cart_key = cart_of(demo)
    demo.end(signal.SIGKILL)
    demo.assert_gone(20)
    demo.start().wait_ready()
    assert demo.keys == home.keys
    assert item_count(demo, cart_key) == 1
    # What a demo leaves behind that is killed while it fills the shop.
    ask(demo, "DELETE FROM products WHERE type = 'variation'")
    ask(demo, "DELETE FROM tax_rates")
    ask(demo, "DELETE FROM consumer_keys")
    (home.data_dir / "demo-keys.json").unlink()
    demo.end(signal.SIGKILL)
    demo.assert_gone(20)
    demo.start().wait_ready()
    assert contents(demo) == home.contents
    assert item_count(demo, cart_key) == 1
    assert demo.end() == 0


PHASES: dict[str, Callable[[Demo], bool]] = {
    "at once": lambda demo: True,
    "the first 0.3 s": lambda demo: (
        time.time() - psutil.Process(demo.process.pid).create_time() > 0.3
    ),
    "making the cluster": lambda demo: (demo.data_dir / "postgres.unfinished").exists(),
    "cluster made": lambda demo: (demo.data_dir / "postgres").exists(),
    "PostgreSQL up": lambda demo: "ready" in text_of(demo.data_dir / "postgres" / "postmaster.pid"),
    "filling the shop": lambda demo: "Filling" in demo.errors,
    "keys made": lambda demo: (demo.data_dir / "demo-keys.json").exists(),
    "welcome": lambda demo: demo.output != "",
}


def start_and_end(demo: Demo, phase: str, number: int, times: int = 1) -> None:
    """Ends a start in the phase: it leaves nothing running, and what it says is no traceback."""
    demo.start()
    until(lambda: PHASES[phase](demo), phase, every=0.002)
    for _ in range(times):
        demo.tell(number)
    assert_ended(demo, number)


def assert_ended(demo: Demo, number: int) -> None:
    code = demo.wait()
    demo.assert_gone(20 if number == signal.SIGKILL else 5)
    said = [line.partition(" ")[0] for line in demo.errors.splitlines()]
    if number == signal.SIGKILL:
        assert code == -number
        assert said in (["Starting"][:n] + ["Filling"][:m] for n in (0, 1) for m in range(n + 1))
    elif code == 0:
        usual = (["Starting", "Stopped."], ["Starting", "Filling", "Stopped."])
        assert said in usual, demo.errors
        assert not demo.ready_file.exists()
    else:  # Python was still loading: the signal did what it does to any program
        assert code in (-number, 128 + number), demo.errors
        assert "Starting" not in said
        assert not demo.ready_file.exists()


def test_a_start_is_ended_in_any_phase_and_the_next_one_carries_on(
    home: Home, demos: Start
) -> None:
    demo = demos()
    start_and_end(demo, "at once", signal.SIGTERM)
    start_and_end(demo, "the first 0.3 s", signal.SIGHUP)
    start_and_end(demo, "making the cluster", signal.SIGINT)
    start_and_end(demo, "cluster made", signal.SIGKILL)
    start_and_end(demo, "filling the shop", signal.SIGTERM, times=2)
    demo.start().wait_ready()
    assert contents(demo) == home.contents
    assert demo.end() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="sees what Python has loaded in /proc")
def test_ctrl_c_while_python_loads_shows_no_traceback(demos: Start) -> None:
    demo = demos().start()
    loaded = psutil.Process(demo.process.pid).memory_maps
    until(lambda: any("pydantic_core" in each.path for each in loaded()), "Python is loading")
    demo.tell(signal.SIGINT)
    demo.wait()
    assert demo.left_behind() == []
    assert "Traceback" not in demo.errors


@pytest.mark.prove
@pytest.mark.parametrize("number", [*STOPPING, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("name", ["plain", SPOKEN])
def test_every_signal_in_every_phase(
    tmp_path: Path, home: Home, demos: Start, name: str, number: int
) -> None:
    demo = demos(tmp_path / name)
    for phase in PHASES:
        start_and_end(demo, phase, number)
    demo.start().wait_ready()
    assert contents(demo) == home.contents
    demo.tell(number)
    assert_ended(demo, number)


@pytest.mark.prove
@pytest.mark.parametrize("number", [*STOPPING, signal.SIGKILL], ids=lambda number: number.name)
def test_signals_at_random_moments_on_one_folder(home: Home, demos: Start, number: int) -> None:
    demo, chance = demos(), random.Random(number)
    for _ in range(20):
        demo.start()
        moment = time.monotonic() + chance.uniform(0.5, 5)
        until(lambda moment=moment: time.monotonic() > moment, "the moment", every=0.001)
        demo.tell(number)
        assert_ended(demo, number)
    demo.start().wait_ready()
    assert contents(demo) == home.contents
    assert demo.end() == 0


@by_root
@pytest.mark.prove
def test_another_user_runs_it(demos: Start) -> None:
    with tempfile.TemporaryDirectory(prefix="checkstand demo ") as name:
        os.chown(name, NOBODY, NOBODY)
        try:
            subprocess.run([*COMMAND, "--version"], check=True, user=NOBODY, cwd="/")
        except PermissionError:
            pytest.skip("this Python is closed to other users")
        folder = Path(name)
        demo = demos(folder / SPOKEN, user=NOBODY, ready_file=folder / "ready.json")
        demo.start().wait_ready()
        assert add_shirt(demo).status == 200
        assert demo.end() == 0
        assert demo.left_behind() == []


# --- what they ask ------------------------------------------------------------------------------


def add_shirt(demo: Demo, cart_key: str = "") -> Answer:
    headers = {"Cart-Key": cart_key} if cart_key else {}
    shirt = {"id": str(demo.ready["products"][0]["id"]), "quantity": "1"}
    return call("POST", f"{demo.v2}/cart/add-item", shirt, headers=headers)


def cart_of(demo: Demo) -> str:
    """The key of a new cart with a shirt in it."""
    answer = add_shirt(demo)
    assert answer.status == 200
    return str(answer.body["cart_key"])


def item_count(demo: Demo, cart_key: str) -> int:
    return int(call("GET", f"{demo.v2}/cart", headers={"Cart-Key": cart_key}).body["item_count"])


def ask(demo: Demo, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(demo.ready["database_url"], timeout=PATIENCE)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def contents(demo: Demo) -> str:
    """What a filled shop has, to tell it from one that was filled in part."""
    tables = ("products", "product_categories", "product_tags", "stock", "tax_rates", "accounts")
    counts = ", ".join(f"'{table}', (SELECT count(*) FROM {table})" for table in tables)
    return str(ask(demo, f"SELECT jsonb_build_object({counts})"))


@asynccontextmanager
async def locked(demo: Demo, cart_key: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Holds the cart's row; gives a question: does a request wait for it?"""
    url = demo.ready["database_url"]
    holder, watcher = await asyncpg.connect(url), await asyncpg.connect(url)
    try:
        async with holder.transaction():
            statement = "SELECT cart_key FROM carts WHERE cart_key = $1 FOR UPDATE"
            assert await holder.fetchval(statement, cart_key) == cart_key

            async def is_waited_for() -> bool:
                return bool(
                    await watcher.fetchval(
                        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    )
                )

            yield is_waited_for
    finally:
        await watcher.close()
        await holder.close()


def accepts(demo: Demo) -> bool:
    host, _, port = demo.base_url.removeprefix("http://").partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionError:
        return False
    return True


@contextmanager
def watched(folder: Path) -> Iterator[Callable[[str], list[str]]]:
    """Gives a question: what happened to the name in the folder, in order? (inotify)"""
    kinds = {0x100: "create", 0x2: "modify", 0x80: "moved_to", 0x40: "moved_from", 0x200: "delete"}
    if sys.platform != "linux":
        yield lambda name: []
        return
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    try:
        assert libc.inotify_add_watch(descriptor, os.fsencode(folder), sum(kinds)) >= 0

        def changes(name: str) -> list[str]:
            data, found, at = os.read(descriptor, 65_536), [], 0
            while at < len(data):
                _, mask, _, length = struct.unpack_from("iIII", data, at)
                at += 16 + length
                if data[at - length : at].rstrip(b"\0") == os.fsencode(name):
                    found += [word for bit, word in kinds.items() if mask & bit]
            return found

        yield changes
    finally:
        os.close(descriptor)


def text_of(file: Path) -> str:
    with suppress(OSError):
        return file.read_text()
    return ""


def shape(line: str) -> str:
    return line.split(" ", 1)[0]
