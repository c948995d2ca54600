"""The private folder of the server's Unix socket: short of path, 0700, and the same at each start.

It is not in the data folder, whose path may be longer than a socket's may be (103 bytes).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path

from checkstand.storage.embedded.binaries import PORT
from checkstand.storage.embedded.errors import EmbeddedError
from checkstand.storage.embedded.identity import Identity, give

SOCKET_NAME = f".s.PGSQL.{PORT}"
_LONGEST_SOCKET = 103  # bytes: macOS; Linux allows 107
_LONGEST_FOLDER = len("/checkstand-0123456789ab-01234567/")


def temporary_roots() -> list[str]:
    """The system's temporary folders that are fit to hold a socket folder, best first."""
    named = (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - see _fit
    return [root for root in dict.fromkeys(named) if _fit(root)]


def _fit(root: str) -> bool:
    room = _LONGEST_SOCKET - _LONGEST_FOLDER - len(SOCKET_NAME)
    # libpq takes a comma for the end of the host.
    if len(os.fsencode(root)) > room or "," in root or not os.path.isdir(root):
        return False
    mode = os.stat(root).st_mode
    # Where everyone may rename everything, someone could put a folder of theirs in our place.
    return bool(mode & stat.S_ISVTX) or not mode & (stat.S_IWGRP | stat.S_IWOTH)


def claim(roots: Sequence[str], data_folder: Path, identity: Identity) -> Path:
    """An empty 0700 folder that belongs to the server: the data folder's own one when possible.

    What a killed server left there is removed. A folder of that name which is not ours, or in
    which a server answers, is left alone and another one is made.
    """
    if not roots:
        raise EmbeddedError(
            "No temporary folder is fit for the database socket: it must exist, be writable to "
            "the server's user and have a short path. Set TMPDIR to such a folder."
        )
    place = hashlib.sha256(os.fsencode(os.path.realpath(data_folder))).hexdigest()[:12]
    folder = Path(roots[0], f"checkstand-{place}")
    try:
        folder.mkdir(0o700)
    except FileExistsError:
        if _is_ours(folder, identity) and not _answers(folder / SOCKET_NAME):
            _empty(folder)
        else:
            folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=roots[0]))
    give(folder, identity)
    return folder


def _is_ours(folder: Path, identity: Identity) -> bool:
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    return private and found.st_uid in (identity.uid, os.geteuid())


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2.0)
        try:
            client.connect(str(path))
        except TimeoutError:
            return True
        except OSError:
            return False
        return True


def _empty(folder: Path) -> None:
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
