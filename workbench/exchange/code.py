"""The code of others: copied into the store, by what it is, and not imported."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from uuid import uuid4

from workbench.errors import StoreError
from workbench.exchange.opening import Pack
from workbench.types import fingerprint


class CodeFolders:
    """Where a pack's ``code/<n>/`` lie in a store: a folder for each author and content."""

    def __init__(self, pack: Pack, root: Path) -> None:
        """Copy below ``root`` when a folder is asked for."""
        self._pack, self._root = pack, root
        self._made: dict[str, Path] = {}

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of all folders that were asked for."""
        return tuple(sorted(file for folder in self._made.values() for file in folder.rglob("*.py")))

    def folder(self, packed: Path) -> Path:
        """Return the folder here of ``code/<n>`` in the pack.

        Raises:
            DataError: a file is not what the pack's list says.
            StoreError: it cannot be written, or was changed here since an earlier merge.
        """
        name = packed.as_posix()
        if name not in self._made:
            self._made[name] = self._copied(name)
        return self._made[name]

    def _copied(self, name: str) -> Path:
        listed = {file.path.partition("/")[2]: file.sha256 for file in self._pack.code_of(name)}
        final = self._root / f"{self._pack.manifest.author}-{fingerprint(sorted(listed.items()))}"
        temporary = final.with_name(f".{final.name}-{uuid4().hex[:8]}")
        try:
            if not final.exists():
                self._pack.extract_code(name, temporary)
                temporary.rename(final)
            for path, sha256 in listed.items():
                if hashlib.sha256((final / path).read_bytes()).hexdigest() != sha256:
                    raise StoreError(
                        f"{final / path} was edited since it was merged; move {final} away, and merge again"
                    )
        except OSError as error:
            raise StoreError(f"the code of {self._pack.file} cannot be copied to {final}: {error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final
