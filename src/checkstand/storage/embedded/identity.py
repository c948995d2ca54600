"""Who the server runs as. PostgreSQL refuses root, so root has to become someone else.

Two ways, because neither works everywhere. A user namespace: towards the file system the server
stays who we are, so it reads what we read and nothing changes hands; ordinary containers forbid
it. A real unprivileged user: containers allow it, sandboxes that know a single user do not; the
cluster then belongs to that user. A cluster that already belongs to someone runs as its owner.

In a namespace the server still reads and writes root's files as their owner. That is why our role
is no superuser (binaries.py): without one, SQL reaches no file.
"""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from checkstand.storage.embedded.binaries import environment
from checkstand.storage.embedded.errors import DataFolderUnusable, NoUnprivilegedUser

RunAs = Literal["auto", "namespace", "setuid"]
GUARDIAN = Path(__file__).with_name("guardian.py")
_FALLBACK_ID = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """`uid` and `gid` own the server's files; the inner ones are what a namespace shows it."""

    kind: Literal["self", "namespace", "setuid"]
    uid: int
    gid: int
    inner_uid: int = _FALLBACK_ID
    inner_gid: int = _FALLBACK_ID


@dataclass(frozen=True, slots=True)
class Standing:
    """An identity that this machine allows, and what it can reach of what the server needs."""

    identity: Identity
    runs_program: bool
    folders: Sequence[str]


def find_standing(
    run_as: RunAs, cluster: Path, *, program: Path, folders: Sequence[str]
) -> Standing:
    """The first identity that works here, tried for real in a process of its own."""
    refusals: list[str] = []
    for identity in _candidates(run_as, cluster):
        if identity.kind == "self":
            usable = [folder for folder in folders if os.access(folder, os.W_OK | os.X_OK)]
            return Standing(identity, runs_program=True, folders=usable)
        plan: dict[str, object] = {
            "identity": asdict(identity),
            "program": str(program),
            "folders": list(folders),
        }
        answer = subprocess.run(
            [sys.executable, "-I", "-S", str(GUARDIAN), "probe"],
            input=json.dumps(plan),
            capture_output=True,
            check=False,
            text=True,
            cwd="/",
            env=environment(),
        )
        if answer.returncode == 0:
            found = json.loads(answer.stdout)
            return Standing(identity, runs_program=found["program"], folders=found["folders"])
        lines = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        refusals.append(f"{_describe(identity)}: {lines[-1]}")
    raise NoUnprivilegedUser(
        "PostgreSQL does not run as root, and this machine offers no way to run it as another "
        f"user ({'; '.join(refusals)}). Start Checkstand as an ordinary user (in Docker: --user), "
        "or set CHECKSTAND_DATABASE_URL to a PostgreSQL server of your own."
    )


def give(folder: Path, identity: Identity) -> None:
    """Makes the folder and all in it belong to the server. The folders above stay as they are."""
    if folder.lstat().st_uid == identity.uid:
        return
    # The folder itself comes last: cut off in the middle, the next start does it all again.
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in (*folders, *files):
            os.lchown(os.path.join(parent, name), identity.uid, identity.gid)
    os.lchown(folder, identity.uid, identity.gid)


def _candidates(run_as: RunAs, cluster: Path) -> list[Identity]:
    uid, gid = os.geteuid(), os.getegid()
    found = cluster.stat() if cluster.exists() else None
    nobody = _unprivileged()
    namespace = Identity("namespace", uid, gid, *nobody)
    if uid != 0:
        _require_own(cluster, found, uid)
        me = Identity("self", uid, gid)
        # initdb, though not the server, wants a name for its user; some containers give none.
        unnamed = found is None and _name(uid) is None
        return {"auto": [namespace, me] if unnamed else [me], "namespace": [namespace]}.get(
            run_as, [Identity("setuid", *nobody)]
        )
    owned = found is not None and found.st_uid != 0
    setuid = Identity("setuid", found.st_uid, found.st_gid) if found and owned else None
    setuid = setuid or Identity("setuid", *nobody)
    if run_as != "auto":
        return [namespace if run_as == "namespace" else setuid]
    return [setuid, namespace] if owned else [namespace, setuid]


def _require_own(cluster: Path, found: os.stat_result | None, uid: int) -> None:
    if found is not None and found.st_uid != uid:
        raise DataFolderUnusable(
            f"The database in {cluster} belongs to user {_name(found.st_uid) or found.st_uid}, and "
            f"you are {_name(uid) or uid}. Start Checkstand as that user, or choose another data "
            "folder."
        )


def _unprivileged() -> tuple[int, int]:
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    users.sort(key=lambda user: user.pw_name != "nobody")
    return (users[0].pw_uid, users[0].pw_gid) if users else (_FALLBACK_ID, _FALLBACK_ID)


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _describe(identity: Identity) -> str:
    if identity.kind == "namespace":
        return "a user namespace"
    return f"user {_name(identity.uid) or identity.uid}"
