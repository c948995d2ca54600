"""The programs of the guides about payments do what the guides say, against a demo shop."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PATIENCE = 120.0
"""Seconds for a start; machines that run tests can be slow."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the guides' programs expect of their surroundings, with a shop behind it."""
    folder = tmp_path_factory.mktemp("demo")
    ready, said = folder / "ready.json", folder / "stderr"
    command = [sys.executable, "-m", "checkstand.cli", "demo", "--port", "0"]
    command += ["--data-dir", str(folder / "data"), "--ready-file", str(ready)]
    plain = {k: v for k, v in os.environ.items() if not k.startswith("CHECKSTAND_")}
    with (
        said.open("wb") as stderr,
        subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=stderr, cwd=folder, env=plain
        ) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not ready.exists():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)
            told = json.loads(ready.read_text())
            yield {
                **plain,
                "CHECKSTAND_URL": told["base_url"],
                "CHECKSTAND_KEY": told["consumer_key"],
                "CHECKSTAND_SECRET": told["consumer_secret"],
            }
        finally:
            process.terminate()
            process.wait(PATIENCE)


def blocks(guide: str, language: str) -> list[str]:
    text = (HOWTO / guide).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def printed(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: PLW1510 - what it printed is told below
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_answer_is_dealt_with(environment: dict[str, str]) -> None:
    (program,) = blocks("take-payments.md", "python")
    assert printed([sys.executable, "-c", program], environment).splitlines() == [
        "tok_success paid: processing",
        "tok_requires_action paid: processing",
        "tok_timeout_after_success paid: processing",
        "tok_late_decline declined: The bank declined this card. Please pay with another.",
        "tok_insufficient_funds declined: There is not enough money on this card.",
    ]


def test_a_decline_and_then_a_card_that_works(environment: dict[str, str]) -> None:
    program = blocks("test-with-the-sandbox.md", "python")[0]
    assert printed([sys.executable, "-c", program], environment).splitlines() == [
        "cocart_payment_failed insufficient_funds",
        "success processing",
    ]


def test_the_webhook_is_taken_in(environment: dict[str, str]) -> None:
    printed([sys.executable, "-c", blocks("test-with-the-sandbox.md", "python")[1]], environment)


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("bash")), reason="the example needs bash and curl"
)
def test_the_order_by_curl(environment: dict[str, str]) -> None:
    script = blocks("test-with-the-sandbox.md", "bash")[0]
    answer = json.loads(printed(["bash", "-euc", script], environment))
    assert answer["payment_result"]["payment_status"] == "success"
    assert answer["status"] == "processing"
