"""Mending a vault: what is damaged goes aside, what nobody will use is removed, and the rest is counted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.store.owner import known_dead
from workbench.store.vault import CHECKPOINTS, PART, TEMPORARY, Vault

DAY = 86400.0
LEFTOVER_SECONDS = DAY
"""What has not changed for so long is of a dead writer, also of one on another machine, of which nothing is known."""
CHECKPOINT_SECONDS = 7 * DAY
"""A checkpoint that nobody went on from for so long is removed, as trainings do that come by."""


@dataclass(frozen=True)
class VaultRepair:
    """What was found in a vault, and done."""

    sound: int
    """Fits that were read and are as they were written."""
    damaged: dict[str, str]
    """What is wrong with each fit that was set aside, by fit key."""
    leftovers: int
    """Unfinished files of dead writers that were removed."""
    checkpoints: int
    """Old checkpoints that were removed."""
    unnamed: int
    """Sound fits that no trial of the ledger names; they are kept, as a cache."""
    missing: frozenset[str]
    """Fit keys that the ledger names and the vault does not hold."""


def repair_vault(vault: Vault, named: Iterable[str]) -> VaultRepair:
    """Read every fit and mend what can be; ``named`` are the fit keys of the ledger's complete trials.

    Drivers may be at work meanwhile: what a living process writes is left alone.

    Raises:
        StoreError: a fit cannot be read for a reason that says nothing of it.
    """
    names, damaged, sound = set(named), dict[str, str](), set[str]()
    for key in vault.fit_keys():
        said = vault.damage(key)
        if said and not vault.has(key):  # which sets it aside
            damaged[key] = said
        else:
            sound.add(key)
    return VaultRepair(
        sound=len(sound),
        damaged=damaged,
        leftovers=sum(_remove(path) for path in _leftovers(vault)),
        checkpoints=sum(_remove(path) for path in _checkpoints(vault)),
        unnamed=len(sound - names),
        missing=frozenset(names - sound),
    )


def _leftovers(vault: Vault) -> Iterator[Path]:
    """Yield what dead writers left: fits that were not finished, and parts of fits."""
    for path in (vault.root / TEMPORARY).glob("*"):
        owner = path.name.rpartition("~")[2].replace("+", ":")  # <fit key>~<random>~<owner>
        told = owner.count(":") == 2  # older versions named none
        if (told and known_dead(owner)) or _unchanged_for(path, LEFTOVER_SECONDS):
            yield path
    for key in vault.fit_keys():
        parts = vault.folder(key).glob(f"{PART}*")
        yield from (path for path in parts if _unchanged_for(path, LEFTOVER_SECONDS))


def _checkpoints(vault: Vault) -> Iterator[Path]:
    for path in (vault.root / CHECKPOINTS).glob("*"):
        if _unchanged_for(path, CHECKPOINT_SECONDS):
            yield path


def _unchanged_for(path: Path, seconds: float) -> bool:
    try:
        times = [each.stat().st_mtime for each in (path, *path.rglob("*"))]
    except OSError:  # it goes away at this moment
        return False
    return time.time() - max(times) > seconds


def _remove(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return not path.exists()
