"""The gateway of another package, examples/acme-gateway: its own tests, run by ours."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "acme-gateway"
sys.path += [str(EXAMPLE / "src"), str(EXAMPLE / "tests")]

from test_acme import *  # noqa: E402, F403
from test_acme import HOUSE, OPTIONS  # noqa: E402


async def test_the_entry_point_names_the_factory() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["checkstand.gateways"]["acme"].partition(":")
    made = getattr(importlib.import_module(module), name)(OPTIONS, HOUSE)
    assert made.description.id == "acme"
    await made.close()


def test_what_the_guide_quotes_stands_in_the_example() -> None:
    guide = (ROOT / "docs" / "howto" / "write-a-gateway.md").read_text()
    files = [file.read_text() for file in EXAMPLE.rglob("*") if file.suffix in (".py", ".toml")]
    quoted = re.findall(r"^```(?:py|toml quoted)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert len(quoted) >= 4
    for text in quoted:
        assert any(text in file for file in files), text
