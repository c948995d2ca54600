"""How long the import of a large catalogue takes, and how much memory, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

import psutil

from bench.catalog_import import write_catalogue
from bench.stage import Stage

BUDGET_SECONDS = 60.0
BUDGET_MB = 300.0
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Imported:
    rows: int
    seconds: float
    peak_mb: float
    failed: bool

    @property
    def ok(self) -> bool:
        return not self.failed and self.seconds <= BUDGET_SECONDS and self.peak_mb <= BUDGET_MB


def measure(stage: Stage, rows: int) -> Imported:
    """Runs `checkstand catalog import` on `rows` products; its words are shown when it fails."""
    file = stage.folder / "catalogue.csv"
    write_catalogue(file, rows)
    command = [sys.executable, "-m", "checkstand.cli", "catalog", "import", str(file)]
    environment = {**os.environ, "CHECKSTAND_DATABASE__URL": stage.url}
    log = stage.folder / "import.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = psutil.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            peak = _peak_mb(process)
        finally:
            if process.poll() is None:
                process.kill()
        seconds = time.perf_counter() - started
    code = process.wait()
    if code != 0:
        print(f"the import ended with {code}:\n{log.read_text()}", file=sys.stderr)
    return Imported(rows, seconds, peak, code != 0)


def _peak_mb(process: psutil.Popen) -> float:
    """The largest resident size that was seen until the process ended."""
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(_LOOK_EVERY)
    return peak / 2**20
