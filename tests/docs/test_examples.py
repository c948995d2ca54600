"""The examples of the README and the quickstart, run as a newcomer would: in a shell, with curl,
against a demo shop. Blocks marked `bash` are run, a `json` block below one is what it answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "docs" / "quickstart.md"
SLOW = ROOT / "docs" / "howto" / "find-what-is-slow.md"
PACKAGES = ROOT / "docs" / "howto" / "split-into-packages.md"
LINKS = ROOT / "docs" / "howto" / "hand-a-cart-over.md"
STOREFRONT = ROOT / "docs" / "howto" / "build-a-storefront.md"
README = ROOT / "README.md"
ADDRESS, KEY, SECRET = "http://127.0.0.1:8000", "ck_YOUR_KEY", "cs_YOUR_SECRET"
PATIENCE = 120.0
"""Seconds for a start; machines that run tests can be slow."""

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="the examples need bash and curl"
)


@dataclass(frozen=True)
class Shop:
    """A running demo: what it wrote into its ready file, and what it printed."""

    ready: dict[str, Any]
    printed: str

    def concrete(self, text: str) -> str:
        """The documentation's text for this shop."""
        return (
            text.replace(ADDRESS, self.ready["base_url"])
            .replace(KEY, self.ready["consumer_key"])
            .replace(SECRET, self.ready["consumer_secret"])
        )

    def placeholders(self, text: str) -> str:
        """This shop's text as the documentation has it."""
        return (
            text.replace(self.ready["base_url"], ADDRESS)
            .replace(self.ready["consumer_key"], KEY)
            .replace(self.ready["consumer_secret"], SECRET)
        )


@contextmanager
def demo(folder: Path, **settings: str) -> Iterator[Shop]:
    """A demo of its own, with these variables set."""
    ready, printed, said = folder / "ready.json", folder / "stdout", folder / "stderr"
    command = [str(Path(sys.executable).with_name("checkstand")), "demo", "--port", "0"]
    command += ["--data-dir", str(folder / "data"), "--ready-file", str(ready)]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("CHECKSTAND_")} | settings
    with (
        printed.open("wb") as stdout,
        said.open("wb") as stderr,
        subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=folder, env=plain) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not ready.exists():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)
            yield Shop(json.loads(ready.read_text()), printed.read_text())
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with demo(tmp_path_factory.mktemp("shop")) as running:
        yield running


def blocks(page: Path) -> list[tuple[str, str]]:
    """The `bash` and `json` blocks of a page, in order."""
    return re.findall(r"^```(bash|json)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def run(scripts: list[str], folder: Path) -> list[str]:
    """The scripts one after another in one shell; what each of them printed."""
    outputs = [folder / f"out{number}" for number in range(len(scripts))]
    # Braces and not parentheses: what one block sets, the next one knows.
    whole = "\n".join(f"{{\n{s}\n}} >'{o}'" for s, o in zip(scripts, outputs, strict=True))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", whole],
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    return [output.read_text() for output in outputs]


def answers(printed: str) -> list[Any]:
    """The JSON answers in what was printed; several may be on one line."""
    found, decoder, rest = [], json.JSONDecoder(), printed.strip()
    while rest:
        answer, end = decoder.raw_decode(rest)
        found.append(answer)
        rest = rest[end:].lstrip()
    return found


def agrees(documented: Any, actual: Any) -> bool:
    """Whether what is documented is there: "…" stands for anything, other members may be there."""
    if documented == "…":
        return actual not in (None, "")
    if isinstance(documented, dict):
        return isinstance(actual, dict) and all(
            key in actual and agrees(value, actual[key]) for key, value in documented.items()
        )
    if isinstance(documented, list):
        return (
            isinstance(actual, list)
            and len(documented) == len(actual)
            and all(map(agrees, documented, actual))
        )
    return bool(documented == actual)


def followed(page: Path, shop: Shop, folder: Path) -> list[Any]:
    """What the page's examples answered, each as it is documented."""
    found = blocks(page)
    printed = run([shop.concrete(text) for kind, text in found if kind == "bash"], folder)
    turn, checked = -1, []
    for kind, text in found:
        if kind == "bash":
            turn += 1
            continue
        (answer,) = answers(printed[turn])
        assert agrees(json.loads(text), answer), f"{text}\nbut it was\n{printed[turn]}"
        checked.append(answer)
    return checked


def test_quickstart(shop: Shop, tmp_path: Path) -> None:
    checked = followed(QUICKSTART, shop, tmp_path)
    orders = [answer["order_id"] for answer in checked if "order_id" in answer]
    assert len(orders) == 2
    assert len(set(orders)) == 1, "sent again, it is the same order"


def test_storefront(shop: Shop, tmp_path: Path) -> None:
    checked = followed(STOREFRONT, shop, tmp_path)
    assert [each["status"] for each in checked if "payment_result" in each] == [
        "failed",
        "processing",
    ]


def test_links(shop: Shop, tmp_path: Path) -> None:
    checked = followed(LINKS, shop, tmp_path)
    assert checked[-1]["code"] == "cocart_cart_link_spent"


def test_packages(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^\$ (\w+)=(\w+) checkstand demo$", PACKAGES.read_text(), re.MULTILINE)
    with demo(tmp_path, **dict([shown])) as shop:
        assert len(followed(PACKAGES, shop, tmp_path)) == 3


def test_metrics(shop: Shop, tmp_path: Path) -> None:
    (script,) = [text for kind, text in blocks(SLOW) if kind == "bash"]
    (printed,) = run([shop.concrete(script)], tmp_path)
    assert int(printed) > 0


def test_readme_orders(shop: Shop, tmp_path: Path) -> None:
    (script,) = [text for kind, text in blocks(README) if kind == "bash"]
    (printed,) = run([shop.concrete(script)], tmp_path)
    updated, ordered = answers(printed)
    assert updated["success"] is True
    assert updated["cart_totals"]["total"] == "44.98"
    assert ordered["payment_result"]["payment_status"] == "success"
    assert ordered["order_id"] > 0
    assert ordered["status"] == "on-hold"


def test_readme_has_the_lines_that_the_demo_prints(shop: Shop) -> None:
    lines = [line for line in shop.printed.splitlines() if line.startswith(("CART_KEY=", "curl"))]
    (script,) = [text for kind, text in blocks(README) if kind == "bash"]
    assert [shop.placeholders(line) for line in lines] == [s for s in script.splitlines() if s]
