"""`checkstand coupons`, on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from checkstand.cli import main


@pytest.fixture
def said(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CHECKSTAND_DATABASE_URL", empty_database)
    return CliRunner()


def run(said: CliRunner, *words: str) -> tuple[int, str]:
    result = said.invoke(main, ["coupons", *words])
    return result.exit_code, result.output


def test_made_listed_disabled_enabled(said: CliRunner) -> None:
    made = run(
        said, "create", "Spring", "--amount", "12.5", "--usage-limit", "3", "--product", "1",
        "--email", "*@Shop.example", "--expires", "2199-01-31T18:00", "--description", "The sale",
    )  # fmt: skip
    assert made == (0, "Coupon spring is made.\n")
    run(said, "create", "five", "--kind", "fixed_product", "--amount", "5", "--free-shipping")
    code, listed = run(said, "list")
    assert code == 0
    _, five, spring = listed.splitlines()
    assert five.split()[:6] == ["five", "5.00", "USD", "each", "+", "shipping"]
    assert spring.split() == ["spring", "12.5", "%", "0/3", "0", "active", "The", "sale"]
    assert run(said, "disable", "SPRING") == (0, "Coupon spring is disabled.\n")
    assert "disabled" in run(said, "list")[1]
    assert run(said, "enable", "spring") == (0, "Coupon spring is enabled.\n")


@pytest.mark.parametrize(
    "words",
    [
        ["create", "x", "--amount", "101"],
        ["create", "x", "--amount", "NaN"],
        ["create", "x"],
        ["create", " ", "--amount", "5"],
        ["create", "x", "--kind", "fixed_cart", "--amount", "-1"],
        ["create", "x", "--kind", "fixed_cart", "--amount", "1", "--item-limit", "1"],
        ["create", "x", "--amount", "5", "--expires", "soon"],
        ["disable", "nobody"],
    ],
)
def test_what_makes_no_sense_is_refused(said: CliRunner, words: list[str]) -> None:
    assert run(said, *words)[0] != 0
    assert len(run(said, "list")[1].splitlines()) == 1


def test_a_code_is_taken_once(said: CliRunner) -> None:
    assert run(said, "create", "x", "--amount", "5")[0] == 0
    code, output = run(said, "create", "X", "--amount", "6")
    assert (code, "already" in output) == (1, True)


def test_a_file_is_imported_and_its_bad_rows_are_shown(said: CliRunner, tmp_path: Path) -> None:
    file, errors = tmp_path / "coupons.csv", tmp_path / "bad.csv"
    file.write_text(
        "post_title,discount_type,coupon_amount\nspring,percent,10\nautumn,store_credit,5\n"
    )
    code, output = run(said, "import", str(file), "--errors", str(errors))
    assert (code, "line 3, discount_type" in output) == (1, True)
    assert errors.read_text().splitlines()[1].startswith("3,discount_type,")
    assert [line.split()[0] for line in run(said, "list")[1].splitlines()[1:]] == ["spring"]
    file.write_text("nothing of the kind\n")
    assert run(said, "import", str(file))[0] == 2
