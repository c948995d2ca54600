"""What people get who install it: from the lock file, and by `make venv` in a fresh clone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.demo_process import Demo, call, environment

pytestmark = pytest.mark.prove

ROOT = Path(__file__).parents[2]
MINUTES = 15 * 60.0  # everything is downloaded


def run(*words: str | Path, cwd: Path) -> str:
    """What it prints; its last words when it fails."""
    done = subprocess.run(
        words,
        check=False,
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MINUTES,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone would hold if all that is here were committed: nothing that git ignores."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    folder = tmp_path_factory.mktemp("a clone") / "checkstand"
    names = run(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT
    ).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():  # deleted, and not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@contextmanager
def demo_of(command: Path, folder: Path) -> Iterator[Demo]:
    """A demo by this command, run from a folder that has nothing to do with the sources."""
    demo = Demo(folder / "demo data", folder / "desk", command=(str(command),))
    try:
        yield demo.start().wait_ready()
    finally:
        demo.clear_away()


def assert_works(command: Path, folder: Path) -> None:
    with demo_of(command, folder) as demo:
        assert any(product["name"] == "Premium T-Shirt" for product in demo.ready["products"])
        shirt = {"id": str(demo.ready["products"][0]["id"]), "quantity": "1"}
        added = call("POST", f"{demo.base_url}/wp-json/cocart/v2/cart/add-item", shirt)
        assert (added.status, added.body["item_count"]) == (200, 1)
        assert demo.end() == 0
        assert demo.left_behind() == []


def test_pip_install_from_the_lock_file(clone: Path, tmp_path: Path) -> None:
    home = tmp_path / "an environment"
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet")
    run(*pip, "--require-hashes", "-r", "requirements.lock", cwd=clone)
    run(*pip, "--no-deps", "--no-build-isolation", ".", cwd=clone)
    run(python, "-m", "pip", "check", cwd=tmp_path)

    found = run(python, "-c", "import checkstand; print(checkstand.__file__)", cwd=tmp_path)
    package = Path(found.strip()).parent
    assert package.is_relative_to(home)
    sources = clone / "src" / "checkstand"
    kept = {
        file.relative_to(sources)
        for file in sources.rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }
    assert {file.suffix for file in kept} >= {".py", ".csv", ".sql"}
    assert [file for file in sorted(kept) if not (package / file).is_file()] == []
    assert_works(home / "bin" / "checkstand", tmp_path)


def test_make_venv_in_a_fresh_clone(clone: Path, tmp_path: Path) -> None:
    run("make", "venv", f"PYTHON={sys.executable}", cwd=clone)
    command = clone / ".venv" / "bin" / "checkstand"
    assert run(command, "--version", cwd=tmp_path).startswith("checkstand, version ")
    made = (clone / ".venv" / "ready").stat()
    run("make", "venv", cwd=clone)
    assert (clone / ".venv" / "ready").stat().st_mtime_ns == made.st_mtime_ns  # nothing to do
    assert_works(command, tmp_path)
