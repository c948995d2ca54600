"""Files that only their owner can read, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from checkstand.errors import ConfigurationError


def write_private(file: Path, content: dict[str, Any]) -> None:
    """Writes JSON that only the owner can read, all of it or nothing."""
    write_private_text(file, json.dumps(content, indent=1))


def write_private_text(file: Path, text: str) -> None:
    try:
        _replace(file, text)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {file}: {error.strerror}; make room or make it writable"
        ) from None


def _replace(file: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as stream:  # mkstemp makes it 0600
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
