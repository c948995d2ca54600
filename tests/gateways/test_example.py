"""The gateway of another package, examples/acme-gateway: its own tests, run by ours."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "acme-gateway"
sys.path += [str(EXAMPLE / "src"), str(EXAMPLE / "tests")]

from test_acme import *  # noqa: E402, F403
from test_acme import HOUSE, OPTIONS  # noqa: E402

from checkstand.errors import ConfigurationError  # noqa: E402
from checkstand.settings import Settings  # noqa: E402
from checkstand.wiring.gateways import ENTRY_POINTS, gateways_of  # noqa: E402


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example as pip would leave it, as far as entry points are concerned."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about = tmp_path / "acme_gateway-1.0.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-gateway\nVersion: 1.0.0\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"][ENTRY_POINTS].items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINTS}]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))


def settings(**options: object) -> Settings:
    return Settings.model_validate({"gateways": {"more": {"acme": {**OPTIONS, **options}}}})


@pytest.mark.usefixtures("installed")
async def test_the_shop_finds_it_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_SECRET_KEY", "sk_test_from_the_environment")
    gateways = gateways_of(settings(secret_key="env:ACME_SECRET_KEY"), HOUSE, None)
    assert list(gateways)[-1] == "acme"
    assert gateways["acme"].description.test_mode, "the reference was resolved"
    for gateway in gateways.values():
        await gateway.close()


@pytest.mark.usefixtures("installed")
def test_the_shop_does_not_start_with_wrong_options() -> None:
    with pytest.raises(ConfigurationError, match="take a pair"):
        gateways_of(settings(publishable_key="pk_live_1"), HOUSE, None)
    with pytest.raises(ConfigurationError, match=r"unknown \['colour'\]"):
        gateways_of(settings(colour="blue"), HOUSE, None)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"gateways\.more\.acme: no installed package"):
        gateways_of(settings(), HOUSE, None)


def test_what_the_guide_quotes_stands_in_the_example() -> None:
    guide = (ROOT / "docs" / "howto" / "write-a-gateway.md").read_text()
    files = [file.read_text() for file in EXAMPLE.rglob("*") if file.suffix in (".py", ".toml")]
    quoted = re.findall(r"^```(?:py|toml quoted)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert len(quoted) >= 4
    for text in quoted:
        assert any(text in file for file in files), text
