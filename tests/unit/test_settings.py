"""Settings: where they come from, and errors that name the key, the value and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkstand.errors import ConfigurationError
from checkstand.settings import every_setting, load
from checkstand.wiring import shop_rules


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("CHECKSTAND_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("checkstand.toml").write_text(text)


def test_defaults_are_valid() -> None:
    settings = load()
    assert settings.store.currency == "USD"
    assert settings.checkout.access == "keys"


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[server]\nport = 9000\nhost = "0.0.0.0"\n')
    monkeypatch.setenv("CHECKSTAND_SERVER__PORT", "9001")
    settings = load()
    assert (settings.server.port, settings.server.host) == (9001, "0.0.0.0")


def test_secrets_by_reference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write('[database]\nurl = "env:SHOP_DB"\n')
    monkeypatch.setenv("SHOP_DB", "postgresql://one")
    assert load().database.url == "postgresql://one"
    secret = tmp_path / "secret"
    secret.write_text("postgresql://two\n")
    write(f'[database]\nurl = "file:{secret}"\n')
    assert load().database.url == "postgresql://two"


def test_the_short_name_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKSTAND_DATABASE_URL", "postgresql://short")
    assert load().database.url == "postgresql://short"
    monkeypatch.setenv("CHECKSTAND_DATABASE__URL", "postgresql://long")
    assert load().database.url == "postgresql://long"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ('[store]\ncurrency = "USDD"', ["store.currency", "'USDD'", "did you mean USD"]),
        ("[server]\nport = 99999", ["server.port", "99999", "65535", "CHECKSTAND_SERVER__PORT"]),
        ("[sever]\nport = 1", ["sever", "no such setting", "did you mean"]),
        ("[server]\nprot = 1", ["server.prot", "did you mean server.port"]),
        ('[store]\ntimezone = "Mars/Olympus"', ["store.timezone", "America/Los_Angeles"]),
        ('[store]\nlanguage = "xx_XX"', ["store.language", "en_US"]),
        ("[store]\ndecimals = 3", ["USD has 2 decimals", "lower the decimals"]),
        ('[store.currencies.EUR]\nrate = "-1"', ["store.currencies.EUR.rate", "greater than 0"]),
        ('[store.currencies.USD]\nrate = "1"', ["base currency USD", "remove it"]),
        ('[checkout]\ndialect = "both"', ["checkout.dialect", "'reference' or 'tutorial'"]),
        ('[database]\nurl = "env:NOT_THERE"', ["database.url", "NOT_THERE is not set", "set it"]),
        ('[database]\nurl = "file:/no/such"', ["cannot read /no/such", "check the path"]),
        ("[database]\npool_min = 20", ["pool_min is larger than pool_max"]),
        ('[store]\norder_received_url = "{nope}"', ["order_received_url may only use"]),
        (
            '[[shipping.zones]]\nname = "a"\nmethods = [{id = 1, kind = "flat_rate"}, '
            '{id = 1, kind = "local_pickup"}]',
            ["method id 1 is used twice"],
        ),
        ('[[shipping.zones]]\nname = "a"\nstates = ["California"]', ["US:CA"]),
        ('[jwt]\nalgorithm = "none"', ["jwt.algorithm", "HS256"]),
        ("[jwt]\ntoken_hours = 721", ["token_hours is larger", "raise refresh_hours"]),
        ('[mail]\nbackend = "smtp"', ["host and sender"]),
        ('[accounts]\nreset_url = "{base_url}/x"', ["reset_url must have {key}"]),
        ('[accounts]\nverify_url = "{key}{nope}"', ["verify_url may only use {base_url}"]),
        ('[cart]\nmerge = "all"', ["cart.merge", "'sum'"]),
        ("not toml", ["not valid TOML"]),
    ],
)
def test_errors_name_key_value_and_fix(text: str, parts: list[str]) -> None:
    write(text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    for part in parts:
        assert part in str(caught.value)


def test_passwords_are_not_shown() -> None:
    write('[database]\nurl = ["postgresql://u:hunter2@h/d"]')
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["jwt.secret", "mail.password"])
def test_secrets_are_not_shown(key: str) -> None:
    section, _, name = key.partition(".")
    write(f'[{section}]\n{name} = ["hunter2"]')
    with pytest.raises(ConfigurationError, match=key) as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_further_currencies_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKSTAND_STORE__CURRENCIES__EUR__RATE", "0.85")
    assert str(load().store.currencies["EUR"].rate) == "0.85"


@pytest.mark.parametrize("name", ["CHECKSTAND_STORE", "CHECKSTAND_SHIPPING__ZONES"])
def test_broken_json_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "[broken")
    with pytest.raises(ConfigurationError, match=name.partition("__")[0]):
        load()


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKSTAND_SERVR__PORT", "1")
    with pytest.raises(ConfigurationError, match="CHECKSTAND_SERVER__"):
        load()


def test_a_missing_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKSTAND_CONFIG", "/no/such/file.toml")
    with pytest.raises(ConfigurationError, match="cannot read /no/such/file"):
        load()


def test_every_setting_says_what_it_is_for() -> None:
    assert [key for key, _, description in every_setting() if not description] == [
        key for key, _, _ in every_setting() if key.startswith("store.address.")
    ]


def test_zones_become_rules() -> None:
    write(
        """
[store]
currency = "KWD"
[store.currencies.USD]
rate = "3.25"
[[shipping.zones]]
name = "Home"
countries = ["KW"]
methods = [{id = 7, kind = "flat_rate", cost = "1.2345", cost_per_class = {bulky = "2"}}]
"""
    )
    rules = shop_rules(load())
    assert rules.base.exponent == 3
    (method,) = rules.zones[0].methods
    assert method.rate_key == "flat_rate:7"
    assert method.per_order.minor == 1235
    assert method.per_class["bulky"].minor == 2000
