"""Whose trials a pack holds: a name that is a part of families' names."""

from __future__ import annotations

import getpass
import re
import subprocess
import unicodedata
from pathlib import Path

from workbench.errors import ConfigError

GIT_SECONDS = 10.0


def author_name(given: str) -> str:
    """Return a name as it is a part of families' names: ``Zoë Smith`` is ``Zoe-Smith``.

    Raises:
        ConfigError: nothing of it is left.
    """
    plain = unicodedata.normalize("NFKD", given).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", plain).strip("-._")[:24]
    if not name:
        raise ConfigError(
            f"'{given}' has no letter of a to z, which the names of families are made of; use --author NAME"
        )
    return name


def whoever(root: Path) -> str:
    """Return who works here, as git knows it, or else the system."""
    try:
        command = ["git", "-C", str(root), "config", "user.name"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
        if done.returncode == 0 and done.stdout.strip():
            return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigError("nobody knows who you are: neither git nor the system; use --author NAME") from error
