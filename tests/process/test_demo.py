"""`checkstand demo` as people run it: real processes, told to end in every way there is."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.process.demo_process import (
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
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel")
by_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as someone else")


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[Start]:
    """Makes demos and leaves nothing of them behind."""
    made: list[Demo] = []

    def make(data_dir: Path | None = None, **options: Any) -> Demo:
        folder = data_dir or tmp_path / SPOKEN / "demo data"
        made.append(Demo(folder, tmp_path / f"desk {len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.clear_away()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo that the tests use and do not stop."""
    folder = tmp_path_factory.mktemp("shop")
    demo = Demo(folder / SPOKEN / "demo data", folder / "desk")
    try:
        yield demo.start().wait_ready()
    finally:
        demo.clear_away()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a demo that was started once, filled, and has ended. Copy it."""
    folder = tmp_path_factory.mktemp("seeded")
    demo = Demo(folder / SPOKEN / "demo data", folder / "desk")
    try:
        demo.start().wait_ready()
        cart_of(demo)
        assert demo.end() == 0
    finally:
        demo.clear_away()
    return demo.data_dir


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


def ask(url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url, timeout=PATIENCE)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


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
    assert shop.errors.splitlines() == [
        f"Starting PostgreSQL in {shop.data_dir} ...",
        "Filling the shop ...",
    ]


def test_the_printed_lines_work_when_pasted(shop: Demo) -> None:
    text = shop.output
    script = text[text.index("CART_KEY=") : text.index("Ctrl-C stops")]
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE, env=environment()
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
    assert ask(url, "SELECT count(*) FROM products WHERE parent_id IS NULL") == len(
        shop.ready["products"]
    )
    if psql := shutil.which("psql"):
        done = subprocess.run(
            [psql, "-X", "-A", "-t", "-c", "SELECT count(*) > 0 FROM tax_rates", url],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=environment(),
        )
        assert (done.stdout, done.returncode) == ("t\n", 0), done.stderr


def test_the_administrator_signs_in(shop: Demo) -> None:
    admin = (shop.ready["admin_username"], shop.ready["admin_password"])
    account = ask(shop.ready["database_url"], "SELECT id FROM accounts WHERE username = 'admin'")
    shirt = {"id": str(shop.ready["products"][0]["id"]), "quantity": "1"}
    assert call("POST", f"{shop.v2}/cart/add-item", shirt, basic=admin).status == 200
    cart = call("GET", f"{shop.v2}/cart", basic=admin)
    assert (cart.status, cart.body["cart_key"]) == (200, str(account))
    assert call("GET", f"{shop.v2}/cart", basic=("admin", "wrong")).status in (401, 403)


# --- starts that fail ---------------------------------------------------------------------------


def assert_refused(demo: Demo, *words: str) -> None:
    """It ended with 1 and one line that says why, and nothing of it is left."""
    assert demo.wait() == 1, demo.errors
    lines = [
        line for line in demo.errors.splitlines() if not line.startswith("Starting PostgreSQL in ")
    ]
    assert len(lines) == 1, demo.errors
    assert lines[0].startswith("checkstand: ")
    for word in words:
        assert word in lines[0]
    assert demo.output == ""
    assert not demo.ready_file.exists()


def test_a_second_demo_on_the_folder_is_refused(shop: Demo, demos: Start) -> None:
    second = demos(shop.data_dir, desk=shop.desk.parent / "second").start()
    assert_refused(second, str(shop.data_dir), "in use", str(shop.process.pid))
    assert call("GET", f"{shop.v2}/cart").status == 200


def test_a_second_demo_leaves_the_ready_file_of_the_first(shop: Demo, demos: Start) -> None:
    second = demos(shop.data_dir)
    second.options = ("--port", "0", "--ready-file", str(shop.ready_file))
    second.start()
    assert second.wait() == 1
    assert json.loads(shop.ready_file.read_text()) == shop.ready


def test_a_port_in_use_is_refused(demos: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = demos(options=("--port", str(port))).start()
        assert_refused(demo, f"127.0.0.1:{port}", "in use", "--port")
    demo.assert_gone(0)
    assert not demo.data_dir.exists()


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path, demos: Start) -> None:
    (tmp_path / "file").write_text("not a folder")
    demo = demos(tmp_path / "file" / "demo data").start()
    assert_refused(demo, str(demo.data_dir), "ot a directory")
    demo.assert_gone(0)


@by_root
def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path, demos: Start) -> None:
    demo = demos(tmp_path / "data", user=NOBODY)
    demo.data_dir.mkdir(mode=0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith("pytest-"):
            pass
    demo.start()
    assert_refused(demo, str(demo.data_dir), "ermission denied")
    demo.assert_gone(0)


def test_a_ready_file_that_cannot_be_written_is_refused(tmp_path: Path, demos: Start) -> None:
    nowhere = tmp_path / "no such folder" / "ready.json"
    demo = demos()
    demo.ready_path = nowhere
    demo.start()
    assert_refused(demo, str(nowhere))
    demo.assert_gone(0)
