"""CoCart's published JavaScript client, as it is, against a running shop."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checkstand.storage.database import Database
from tests.contract.live import live_shop
from tests.makers import BILLING, product, shop_settings
from tests.shapes import differences
from tests.tables.v2_checkout import STATE, UPDATED, processed_shape

PACKAGE = "@cocart/cocart-rest-api@1.1.0"
SCRIPT = Path(__file__).with_name("roundtrip.mjs")


@pytest.fixture(scope="session")
def client_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client is installed, outside the repository."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node and npm are not there")
    folder = tmp_path_factory.mktemp("client")
    (folder / "package.json").write_text('{"private": true}')
    install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    try:
        done = subprocess.run(install, cwd=folder, capture_output=True, check=False, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not get {PACKAGE} in time")
    if done.returncode:
        pytest.skip(f"npm could not get {PACKAGE}")
    return folder


READ = ("store", "products", "products/1", "products/premium-t-shirt", "products/categories")
"""Public routes that the client reads as well."""


@pytest.mark.parametrize("header", ["Cart-Key", "CoCart-API-Cart-Key"])
async def test_a_purchase_with_the_published_client(
    empty_database: str, database: Database, client_folder: Path, header: str
) -> None:
    async with database.acquire() as connection:
        await product(connection, sku="TSHIRT-PREMIUM", slug="premium-t-shirt")
    with live_shop(shop_settings(empty_database)) as shop:
        key, secret = shop.reference
        settings = {
            "url": f"http://127.0.0.1:{shop.port}/",
            "port": "",
            "key": key,
            "secret": secret,
            "header": header,
            "served": READ,
        }
        done = await asyncio.to_thread(
            subprocess.run,
            ["node", str(SCRIPT), str(client_folder), json.dumps(settings)],
            env={**os.environ, "BILLING": json.dumps(BILLING)},
            capture_output=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, Any] = json.loads(done.stdout)
    for route in READ:
        assert told[route]["status"] == 200, told[route]
    assert [each["id"] for each in told["products"]["body"]["products"]] == [1]
    assert told["products/1"]["body"] == told["products/premium-t-shirt"]["body"]
    assert told["added"]["body"]["item_count"] == 2
    assert told["read"]["body"]["cart_key"] == told["cartKey"]
    assert told["read"]["body"]["items"] == told["added"]["body"]["items"]
    assert told["fewer"]["body"] == {"item_count": 2, "cart_key": told["cartKey"]}
    assert told["changed"]["body"]["item_count"] == 5
    assert told["removed"]["body"]["items"] == []
    assert told["restored"]["body"]["item_count"] == told["counted"]["body"] == 5
    assert differences(UPDATED, told["updated"]["body"]) == []
    assert differences(STATE, told["checkout"]["body"]) == []
    assert differences(processed_shape("success"), told["ordered"]["body"]) == []
    assert (told["wrong"]["status"], told["wrong"]["body"]["code"]) == (
        400,
        "cocart_invalid_product",
    )
