"""The files of a new experiment: all or none of them are written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import ConfigError

NAMES = ("experiment.yaml", "features.py", "factories.py")
IGNORE = ".gitignore"
STORE = ".workbench/\n"


def check_free(folder: Path, *, force: bool) -> None:
    """Check that the files may be written into ``folder``, which may be absent.

    Raises:
        ConfigError: it is a file; it holds one of the files already and ``force`` is off, or a folder or a link to
            nothing in the place of one.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; expected the folder of an experiment")
    present = [name for name in NAMES if os.path.lexists(folder / name)]
    other = [name for name in present if not (folder / name).is_file()]
    if other:
        raise ConfigError(f"{folder} holds {', '.join(other)}, which is no regular file; move it away")
    if present and not force:
        raise ConfigError(f"{folder} already holds {', '.join(present)}; --force replaces them and keeps NAME.bak")


def write(folder: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write files into ``folder``, which is made if absent, and ``.gitignore`` if there is none; return their paths.

    Every file is written beside its place before the first one is put there; what is replaced is kept as ``NAME.bak``.

    Raises:
        ConfigError: the folder cannot be written.
    """
    wanted = dict(texts) if os.path.lexists(folder / IGNORE) else {**texts, IGNORE: STORE}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".init-") as temporary:
            for name, text in wanted.items():
                (Path(temporary) / name).write_text(text, encoding="utf-8")
            for name in wanted:
                if (folder / name).exists():
                    (folder / name).replace(folder / f"{name}.bak")
                (Path(temporary) / name).replace(folder / name)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error.strerror or error}") from error
    return tuple(folder / name for name in wanted)
