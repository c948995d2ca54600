"""A pytest plugin that says at the end how much the proofs have tried:

pytest_plugins = ["checkstand.testing.plugin"]
"""

from __future__ import annotations

import pytest

from checkstand.testing.proofs import tally


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = tally.lines()
    if lines:
        terminalreporter.section("proofs")
        for line in lines:
            terminalreporter.write_line(line)
