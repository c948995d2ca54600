"""The bundled server: a private PostgreSQL 16 that starts and ends with us."""

from checkstand.storage.embedded.errors import (
    BinariesUnusable,
    DataFolderInUse,
    DataFolderUnusable,
    DataVersionMismatch,
    DiskFull,
    EmbeddedError,
    NotRunning,
    NoUnprivilegedUser,
    StartFailed,
    StopFailed,
)
from checkstand.storage.embedded.server import EmbeddedPostgres

__all__ = [
    "BinariesUnusable",
    "DataFolderInUse",
    "DataFolderUnusable",
    "DataVersionMismatch",
    "DiskFull",
    "EmbeddedError",
    "EmbeddedPostgres",
    "NoUnprivilegedUser",
    "NotRunning",
    "StartFailed",
    "StopFailed",
]
