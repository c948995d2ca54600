"""The documentation says what there is, and nothing that there is not."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel, SecretStr

from checkstand.app import create_app
from checkstand.cli import main
from checkstand.errors import Refusal
from checkstand.settings import Settings, every_setting, load

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
API = "/wp-json/cocart"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# The records speak of modules, which are spelt like settings: `tax.model`.
GUIDES = [page for page in PAGES if page.parent.name != "adr"]


def rows(page: Path) -> Iterator[list[str]]:
    """The cells of every row of every table; `\\|` is a bar inside a cell."""
    for line in page.read_text().splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            cells = re.split(r"(?<!\\)\|", line.strip()[1:-1])
            yield [cell.strip().replace("\\|", "|") for cell in cells]


def code(cell: str) -> str:
    """What a cell says that is code as a whole; "" otherwise."""
    found = re.fullmatch(r"`([^`]+)`", cell)
    return found[1] if found else ""


def fenced(page: Path, language: str) -> list[str]:
    """The code blocks of a page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- settings -------------------------------------------------------------------------------------


def nested(annotation: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Keys and fields of the tables inside a setting: `store.currencies.CODE.rate`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for key, field in annotation.model_fields.items():
            yield f"{prefix}.{key}", field
            yield from nested(field.annotation, f"{prefix}.{key}")
        return
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is dict:
        yield from nested(inside[1], f"{prefix}.CODE")
    elif origin is tuple:
        yield from nested(inside[0], f"{prefix}[]")
    elif origin in (typing.Union, types.UnionType, typing.Annotated):
        for each in inside:
            yield from nested(each, prefix)


def annotation_of(key: str) -> Any:
    model: Any = Settings
    for part in key.split("."):
        model = model.model_fields[part].annotation
    return model


SETTINGS = {key: default for key, default, _ in every_setting()}
INSIDE = {
    key: field for setting in SETTINGS for key, field in nested(annotation_of(setting), setting)
}
SETTING_ROWS = {
    code(cells[0]): cells
    for cells in rows(REFERENCE / "settings.md")
    if re.match(r"[a-z_]+\.", code(cells[0]))
}


def test_every_setting_is_documented_and_no_other() -> None:
    assert set(SETTING_ROWS) == set(SETTINGS) | set(INSIDE)


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_variable_and_default_of_a_setting(key: str) -> None:
    _, variable, default, meaning = SETTING_ROWS[key]
    assert code(variable) == "CHECKSTAND_" + key.upper().replace(".", "__")
    assert meaning
    if not isinstance(SETTINGS[key], BaseModel):
        assert documented_value(default) == plain(SETTINGS[key])


@pytest.mark.parametrize("key", sorted(INSIDE))
def test_default_inside_a_setting(key: str) -> None:
    _, default, meaning = SETTING_ROWS[key]
    field = INSIDE[key]
    assert meaning
    assert documented_value(default) == (None if field.is_required() else plain(field.default))


def documented_value(cell: str) -> Any:
    return None if cell == "none" else tomllib.loads(f"value = {code(cell)}")["value"]


def plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return float(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_pages_speak_of_settings_that_exist(page: Path) -> None:
    sections = "|".join(Settings.model_fields)
    known = {*SETTINGS, *INSIDE}
    for said in re.findall(rf"`((?:{sections})\.[\w.\[\]]+)", page.read_text()):
        assert any(key == said or key.startswith(f"{said}.") for key in known), said


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_examples_load(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SHOP_DATABASE", "SHOP_DATABASE_DIRECT"):
        monkeypatch.setenv(variable, "postgresql://shop@127.0.0.1/shop")
    for number, example in enumerate(fenced(page, "toml")):
        for variable in re.findall(r'"env:((?!SHOP_DATABASE)\w+)"', example):
            monkeypatch.setenv(variable, "a-secret")
        file = tmp_path / f"{number}.toml"
        file.write_text(example)
        load(file)


# --- errors ---------------------------------------------------------------------------------------

A_CODE = re.compile(
    r"(?:cocart|rest)_[a-z_]*[a-z]|registration-error-missing-password|rate_limit_exceeded"
)
SIDES = ("billing", "shipping")


def refusals(of: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    for each in of.__subclasses__():
        yield each
        yield from refusals(each)


def codes_in_source() -> set[str]:
    """Every text in the source that is an error code, those made of parts included."""
    found: set[str] = set()
    for module in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                for side in SIDES:
                    parts = [
                        part.value if isinstance(part, ast.Constant) else side
                        for part in node.values
                    ]
                    found.add("".join(map(str, parts)))
    return {text for text in found if A_CODE.fullmatch(text)} - {Refusal.code, "rest_url"}


OUR_REFUSALS = {
    (each.code, each.status) for each in refusals() if each.__module__.startswith("checkstand.")
}
CODES = {code for code, _ in OUR_REFUSALS} | codes_in_source()
ERROR_ROWS = [cells for cells in rows(REFERENCE / "errors.md") if A_CODE.fullmatch(code(cells[0]))]


def test_every_error_code_is_documented() -> None:
    said = set(re.findall(rf"`({A_CODE.pattern})`", (REFERENCE / "errors.md").read_text()))
    assert said == CODES


def test_every_error_has_its_status_and_its_advice() -> None:
    documented = {(code(cells[0]), cells[1]) for cells in ERROR_ROWS}
    named = {code for code, _ in OUR_REFUSALS}
    assert {(code, str(status)) for code, status in OUR_REFUSALS} == {
        row for row in documented if row[0] in named
    }
    assert all(when and what_to_do for _, _, when, what_to_do in ERROR_ROWS)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_speak_of_errors_that_exist(page: Path) -> None:
    said = set(re.findall(r"\b((?:cocart|rest)_[a-z]+_[a-z_]+)\b", page.read_text()))
    said |= set(re.findall(rf"`({A_CODE.pattern})`", page.read_text()))
    assert said <= CODES


# --- routes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str]]:
    paths = create_app(Settings()).openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_every_route_is_documented_and_no_other(routes: set[tuple[str, str]]) -> None:
    table = [cells for cells in rows(REFERENCE / "routes.md") if cells[0] in METHODS]
    assert {(cells[0], code(cells[1])) for cells in table} == routes
    assert all(who and what for _, _, who, what in table)


def test_compatibility_says_what_is_served(routes: set[tuple[str, str]]) -> None:
    table = [cells for cells in rows(REFERENCE / "compatibility.md") if cells[0] in METHODS]
    states = {(cells[0], API + code(cells[1])): cells[2] for cells in table}
    assert len(states) == len(table), "a route is listed twice"
    assert set(states.values()) <= {"served", "partly", "not yet"}
    ours = {(method, path) for method, path in routes if path.startswith(f"{API}/")}
    assert {route for route, state in states.items() if state != "not yet"} == ours
    assert all(cells[3] for cells in table if cells[2] == "partly"), "what is left out is said"


def test_the_table_of_routes_is_the_one_that_the_app_gives() -> None:
    spec = importlib.util.spec_from_file_location("compatibility", ROOT / "docs/compatibility.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = maker  # dataclasses look there
    try:
        spec.loader.exec_module(maker)
        written = (REFERENCE / "compatibility.md").read_text()
        assert maker.page() == written, "run: make coverage"
        keys = [each.key for rows in maker.promises().values() for each in rows]
        assert len(keys) == len(set(keys)), "a route of the contract is listed twice"
        assert len(keys) > 100
    finally:
        del sys.modules[spec.name]


# --- commands -------------------------------------------------------------------------------------


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            sub = command.get_command(context, name)
            assert sub is not None
            yield from commands(sub, f"{path} {name}")


COMMANDS = dict(commands(main, "checkstand"))
SECTIONS = dict(
    re.findall(
        r"^## (checkstand.*?)\n(.*?)(?=^## |\Z)",
        (REFERENCE / "cli.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
)


def test_every_command_is_documented_and_no_other() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_option_of_a_command_is_documented_and_no_other(path: str) -> None:
    text = SECTIONS[path]
    options = [each for each in COMMANDS[path].params if isinstance(each, click.Option)]
    help_names = {"--help", "-h"} if path == "checkstand" else set()
    table = [line for line in text.splitlines() if line.startswith("| `-")]
    documented = {name for line in table for name in re.findall(r"(?<![\w-])--?[a-z-]+", line)}
    assert documented == {opt for each in options for opt in each.opts} | help_names
    for each in options:
        if isinstance(each.type, click.Choice):
            row = next(line for line in table if each.opts[0] in line)
            assert all(str(choice) in row for choice in each.type.choices)
    for argument in COMMANDS[path].params:
        if isinstance(argument, click.Argument):
            assert str(argument.name).upper() in text


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_speak_of_commands_and_make_targets_that_exist(page: Path) -> None:
    text = page.read_text()
    first = {path.split()[1] for path in COMMANDS if " " in path}
    assert set(re.findall(r"(?:^\$ |`)checkstand ([a-z]+)", text, re.MULTILINE)) <= first
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:^\$ |`)make ([a-z]+)", text, re.MULTILINE)) <= targets


# --- links and addresses --------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} in {name(page)}"
        assert not anchor or anchor in anchors(linked), f"{target} in {name(page)}"


def our_files() -> list[Path]:
    """What is in the repository, or is about to be."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [file for each in found.split("\0") if each and (file := ROOT / each).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for file in our_files():
        content = file.read_bytes()
        if b"\0" not in content:
            yield name(file), content.decode(errors="replace")


# In pieces, so that this file does not name them either.
REGISTRIES = (
    "pypi org", "pythonhosted org", "anaconda org", "npmjs org", "npmjs com", "yarnpkg com",
    "unpkg com", "jsdelivr net", "cdnjs com", "crates io", "rubygems org", "packagist org",
    "proxy golang org", "docker io", "docker com", "ghcr io", "quay io", "github com",
    "githubusercontent com", "gitlab com",
)  # fmt: skip
OUR_HOSTS = re.compile(
    r"127(?:\.\d+){0,3}|localhost|\[?::1\]?|(?:.*\.)?(?:example|test|invalid)"
    r"|(?:.*\.)?example\.(?:com|org|net)"
    # Where storefronts get Stripe's script, and operators their keys.
    r"|(?:js|dashboard)\.stripe\.com"
    # Where gateways ask, and where storefronts get the provider's script.
    r"|(?:.*\.)?(?:squareup|squareupsandbox|squarecdn)\.com|(?:js|jstest|api|apitest)\.authorize\.net"
)


def test_no_registry_is_named() -> None:
    hosts = "|".join(re.escape(each.replace(" ", ".")) for each in REGISTRIES)
    pattern = re.compile(rf"(?<![\w-])(?:{hosts})(?![\w-])", re.IGNORECASE)
    assert [file for file, text in texts() if pattern.search(text)] == []


def test_no_internet_address_but_examples() -> None:
    for file, text in texts():
        for host in re.findall(r"https?://([^\s/:;`'\"<>)|]+)", text):
            # Without a dot it is a name of ours, with these characters it is not an address yet.
            ours = OUR_HOSTS.fullmatch(host) or "." not in host or set(host) & set("{}\\")
            assert ours, f"{host} in {file}"


A_PACKAGE = r"[\w.-]+(?:\[[\w,-]+\])?==[\w.!+-]+(?: ; [^:]+)?"
A_HASH = r"    --hash=sha256:[0-9a-f]{64}"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_have_names_versions_and_hashes_only(lock: str) -> None:
    for line in (ROOT / lock).read_text().splitlines():
        if not line.lstrip().startswith("#"):
            assert re.fullmatch(rf"(?:(?:{A_PACKAGE}|{A_HASH})(?: \\)?)?", line), line


def test_generated_clients_get_names_that_can_be_read() -> None:
    described = create_app(Settings()).openapi()
    operations = [each for path in described["paths"].values() for each in path.values()]
    names = [*described["components"]["schemas"], *(each["operationId"] for each in operations)]
    assert [name for name in names if "__" in name or not name.isidentifier()] == []
    assert len({each["operationId"] for each in operations}) == len(operations)
