"""Classes of a user's own inside a stored estimator: their modules are known by the folder, not by its place."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from workbench import registry
from workbench.types import FamilyRef

_EXECUTED = re.compile(r"workbench_user_(?P<stem>.+)_[0-9a-f]{12}")
"""The name that `workbench.registry` gives a user's module: its file, and a hash of where that lay in training."""


def known_modules(stored: Iterable[str], family: FamilyRef) -> tuple[str, ...]:
    """Make the modules of a bundle importable under their names of the training; return those to trust.

    Trusted are the modules of the folder that the factory lies in, and the package that the factory itself is of:
    code that is executed for this family anyway. Other names are left out.
    """
    module = family.factory.partition(":")[0]
    if family.root is not None:
        registry.load(family.factory, family.root)
    return tuple(name for name in stored if name == module.partition(".")[0] or _known(name, module, family.root))


def _known(name: str, factory: str, root: Path | None) -> bool:
    if root is None:
        return False
    executed = _EXECUTED.fullmatch(name)
    if executed is None:
        # A neighbour of the factory's file, imported under its plain name: the folder is on the path by now.
        return (root / f"{name}.py").is_file() or (root / name).is_dir()
    stem = executed["stem"]
    reference = factory if factory.rpartition(".")[2] == stem else stem
    if not (root / Path(*reference.split("."))).with_suffix(".py").is_file():
        return False
    sys.modules[name] = sys.modules[registry.load(f"{reference}:__name__", root)]
    return True
