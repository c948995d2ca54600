"""What can go wrong with the bundled server. Each message names the folder, the cause, the fix."""

from __future__ import annotations

from checkstand.errors import StorageError


class EmbeddedError(StorageError):
    """The bundled PostgreSQL server cannot be started, used or stopped."""


class BinariesUnusable(EmbeddedError):
    """The pinned PostgreSQL programs are not installed, or do not run on this machine."""


class DataFolderInUse(EmbeddedError):
    """Another process runs a server on this data folder."""


class DataFolderUnusable(EmbeddedError):
    """The data folder cannot be read or written, or holds something that is not ours to touch."""


class DataVersionMismatch(EmbeddedError):
    """The data was written by another major version of PostgreSQL. It was not touched."""


class DiskFull(EmbeddedError):
    """There is too little room on the disk of the data folder."""


class NoUnprivilegedUser(EmbeddedError):
    """We are root, PostgreSQL refuses root, and this machine lets us become nobody else."""


class StartFailed(EmbeddedError):
    """The server ended, or accepted no connections in time. The message has its last words."""


class StopFailed(EmbeddedError):
    """A process of the server is still there although it was told, then forced, to end."""


class NotRunning(EmbeddedError):
    """The server was asked for something that only a running server has."""
