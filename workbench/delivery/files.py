"""Files that are whole or not there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from workbench.errors import StoreError


def write_text(path: Path, text: str) -> Path:
    """Write ``text`` as UTF-8 in one step: a reader sees the old file or the new one. Folders are made.

    Raises:
        StoreError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8", newline="")
        os.replace(temporary, path)  # noqa: PTH105 - replaces on every platform
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StoreError(f"{path} cannot be written: {error}") from error
    return path
