"""The commands, as an operator types them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from checkstand.cli import main
from checkstand.storage import schema
from tests.makers import execute
from tests.valkey import valkey


@pytest.fixture
def run(empty: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHECKSTAND_DATABASE__URL", empty)

    def _run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return _run


@pytest.fixture
def empty(postgres_url: str) -> str:
    asyncio.run(execute(postgres_url, "TRUNCATE consumer_keys, tax_rates, products CASCADE"))
    return postgres_url


def test_keys_from_the_making_to_the_end(run, empty: str) -> None:  # type: ignore[no-untyped-def]
    made = run("keys", "create", "--name", "storefront", "--dialect", "tutorial")
    assert made.exit_code == 0, made.output
    secret = next(word for word in made.output.split() if word.startswith("cs_"))
    key = next(word for word in made.output.split() if word.startswith("ck_"))
    listed = run("keys", "list").output
    assert "storefront" in listed
    assert "tutorial" in listed
    assert "active" in listed
    assert key not in listed
    assert secret not in listed
    rows = asyncio.run(dump(empty))
    assert key not in rows
    assert secret not in rows
    key_id = next(line.split()[0] for line in listed.splitlines() if "storefront" in line)
    assert run("keys", "revoke", key_id).exit_code == 0
    assert "revoked" in run("keys", "list").output
    again = run("keys", "revoke", key_id)
    assert again.exit_code == 1
    assert "no active key" in again.output


def test_accounts(run, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(execute(empty, "TRUNCATE accounts CASCADE"))

    def create(password: str, *words: str) -> Result:
        return CliRunner().invoke(main, ["accounts", "create", *words], input=f"{password}\n")

    words = ("--username", "olga", "--email", "olga@shop.example", "--role", "administrator")
    weak = create("password", *words)
    assert weak.exit_code == 1
    assert "everybody tries" in weak.output
    made = create("Quarry-Row-8", *words)
    assert made.exit_code == 0, made.output
    assert "Quarry" not in made.output
    assert create("Quarry-Row-8", *words).exit_code == 1
    assert create("Quarry-Row-8", "--username", "1", "--email", "a@b.example").exit_code == 2
    assert create("Quarry-Row-8", "--username", "tom", "--email", "tom").exit_code == 2
    assert "administrator" in run("accounts", "list").output
    assert run("accounts", "role", "olga@shop.example", "customer").exit_code == 0
    assert "administrator" not in run("accounts", "list").output
    assert run("accounts", "sign-out", "olga").exit_code == 0
    assert run("accounts", "sign-out", "nobody").exit_code == 1


def test_a_publishable_key_and_its_rotation(run, empty: str) -> None:  # type: ignore[no-untyped-def]
    refused = run("keys", "create", "--name", "page", "--publishable")
    assert refused.exit_code == 2
    assert "--origin" in refused.output
    refused = run("keys", "create", "--name", "page", "--network", "everywhere")
    assert refused.exit_code == 2
    assert "--network" in refused.output
    page = "https://shop.example"
    made = run(
        "keys", "create", "--name", "page", "--publishable", "--origin", page,
        "--owner", "Web team", "--expires", "2099-01-01",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "pk_" in made.output
    assert "consumer_secret" not in made.output
    key_id = made.output.split()[1]
    rotated = run("keys", "rotate", key_id, "--overlap-hours", "2")
    assert rotated.exit_code == 0, rotated.output
    assert f"Key {key_id} works until" in rotated.output
    listed = run("keys", "list").output
    assert listed.count("publishable") == 2
    assert "rotating" in listed
    assert "Web team" in listed
    assert run("keys", "rotate", key_id).exit_code == 1, "it has a successor already"
    assert run("keys", "usage", key_id).exit_code == 0


async def dump(url: str) -> str:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return str([tuple(row) for row in await connection.fetch("SELECT * FROM consumer_keys")])
    finally:
        await connection.close()


def test_doctor_is_content(run) -> None:  # type: ignore[no-untyped-def]
    result = run("doctor")
    assert result.exit_code == 0, result.output
    for what in ("settings are valid", "PostgreSQL 16", "clock", f"schema: {schema.head()}"):
        assert f"✓ {what}" in result.output or what in result.output
    assert "keys create" in result.output, "no key yet: it says how to make one"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("CHECKSTAND_DATABASE__URL", "postgresql://nobody@127.0.0.1:1/none", "cannot connect"),
        ("CHECKSTAND_DATABASE__URL", "", "Set database.url"),
        ("CHECKSTAND_DATABASE__URL", "mysql://localhost/x", "cannot connect"),
        ("CHECKSTAND_SERVER__PORT", "many", "server.port"),
    ],
)
def test_doctor_says_what_is_wrong(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    result = run("doctor")
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_doctor_looks_at_the_limits(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("CHECKSTAND_SERVER__WORKERS", "4")
    assert "4 workers allow as many times the limit" in run("doctor").output
    with valkey() as url:
        monkeypatch.setenv("CHECKSTAND_RATE_LIMITS__STORE_URL", url)
        assert "✓ rate limits: the shared store answers" in run("doctor").output
    assert "! rate limits: the shared store does not answer" in run("doctor").output


def test_doctor_misses_the_proxy(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    assert "✓ proxies: none" in run("doctor").output
    monkeypatch.setenv("CHECKSTAND_SERVER__BASE_URL", "https://shop.example")
    found = run("doctor")
    assert "! proxies: none, and the shop is https://shop.example" in found.output
    assert "security.trusted_proxies" in found.output
    monkeypatch.setenv("CHECKSTAND_SECURITY__TRUSTED_PROXIES", '["10.0.0.0/8"]')
    assert "✓ proxies: 10.0.0.0/8; clients are named in x-forwarded-for" in run("doctor").output


def test_db(run, empty: str) -> None:  # type: ignore[no-untyped-def]
    assert run("db", "status").exit_code == 0
    again = run("db", "upgrade")
    assert f"The schema is at {schema.head()} (it was at {schema.head()})" in again.output


def test_commands_refuse_a_database_that_is_behind(  # type: ignore[no-untyped-def]
    run, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(execute(empty, "UPDATE alembic_version SET version_num = '0000'"))
    try:
        result = run("keys", "list")
        assert result.exit_code == 1
        assert "checkstand db upgrade" in result.output
        assert run("db", "status").exit_code == 1
        assert "db upgrade" in run("doctor").output
    finally:
        head = schema.head()
        asyncio.run(execute(empty, f"UPDATE alembic_version SET version_num = '{head}'"))


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody@127.0.0.1:1/none", "mysql://localhost/x", "no address at all", "{}nope"],
)
def test_a_wrong_address_is_one_line(  # type: ignore[no-untyped-def]
    run, empty: str, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    if url.startswith("{}"):
        url = empty.replace("/checkstand?", "/no-such-database?")
    monkeypatch.setenv("CHECKSTAND_DATABASE__URL", url)
    for words in (("keys", "list"), ("db", "status"), ("db", "upgrade"), ("serve",)):
        result = run(*words)
        assert result.exit_code == 1, words
        assert result.output.startswith("checkstand: cannot use the database"), result.output
        assert result.output.count("\n") == 1


def test_openapi_needs_no_database(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("CHECKSTAND_DATABASE__URL")
    result = run("openapi")
    described = json.loads(result.output)
    assert "/wp-json/cocart/preview/checkout" in described["paths"]


def test_a_wrong_command_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.delenv("CHECKSTAND_DATABASE__URL")
    result = run("keys", "list")
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "database.url is not set" in result.output


def test_reviews_wait_and_are_shown(run, empty: str) -> None:  # type: ignore[no-untyped-def]
    asyncio.run(
        execute(
            empty,
            "INSERT INTO products (id, type, name, slug) VALUES (1, 'simple', 'Cup', 'cup')",
            "INSERT INTO product_reviews (id, product_id, reviewer, email, review, rating,"
            " verified, status, created_at) VALUES (7, 1, 'Bo', 'bo@example.com',"
            " 'Holds tea.', 4, true, 'hold', now())",
        )
    )
    waiting = run("reviews", "list").output
    assert "Bo: Holds tea." in waiting
    assert "bought it" in waiting
    assert "bo@example.com" not in waiting
    shown = run("reviews", "set", "approved", "7")
    assert (shown.exit_code, shown.output) == (0, "1 of 1 are now approved.\n")
    assert run("reviews", "list").output == ""
    assert "Bo" in run("reviews", "list", "--status", "approved").output
    unknown = run("reviews", "set", "spam", "7", "99")
    assert unknown.exit_code == 1
    assert "no review 99" in unknown.output


def test_doctor_compares_a_storefront(run, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("CHECKSTAND_GATEWAYS__SANDBOX__ENABLED", "true")
    monkeypatch.setenv("CHECKSTAND_GATEWAYS__BACS__ENABLED", "true")
    env = tmp_path / ".env.local"
    env.write_text("SANDBOX_ENV=sandbox\n# SANDBOX_KEY=no\nNAME=shop\n")
    good = run("doctor", "--storefront", str(env))
    assert good.exit_code == 0, good.output
    assert "sandbox: test mode; storefronts use environment sandbox" in good.output
    env.write_text("export SANDBOX_ENVIRONMENT='live'\nNEXT_PUBLIC_KEY=sk_live_verysecret1\n")
    bad = run("doctor", "--storefront", str(env))
    assert bad.exit_code == 1
    assert "SANDBOX_ENVIRONMENT is another value" in bad.output
    assert "NEXT_PUBLIC_KEY is a secret" in bad.output
    assert "verysecret1" not in bad.output


def test_payments_of_no_order(run) -> None:  # type: ignore[no-untyped-def]
    for words in (["show", "99"], ["refund", "99"], ["capture", "99"], ["void", "99"]):
        result = run("payments", *words)
        assert result.exit_code == 1, words
        assert "There is no such order" in result.stderr
    assert "no such payment attempt" in run("payments", "look", "att_1").stderr
    assert run("payments", "refund", "1", "--line", "x").exit_code == 2


def test_reload_is_announced(run) -> None:  # type: ignore[no-untyped-def]
    assert "Announced" in run("reload").output
