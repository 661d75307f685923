"""An experiment's store: its disk, its ledger, its vault, and how far the projections have come."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.doctor.check import Check, gibibytes
from workbench.errors import StoreError
from workbench.experiment import Experiment
from workbench.store.backup import hint, is_lost, ledger_file, sound_backups
from workbench.store.database import shown_url
from workbench.store.inspection import LedgerState, inspect_ledger
from workbench.store.vault import DAMAGED, Vault
from workbench.tracking.positions import projection_names
from workbench.tracking.uri import tracking_uri
from workbench.wording import counted

SCARCE, TOO_LITTLE = 2.0 * 2**30, 0.1 * 2**30
"""Free bytes below which there is a warning, and below which a sweep would fail."""

VAULT_SECONDS = 10.0
"""How long fits are read. The newest come first; how many were read is said."""


def store_checks(experiment: Experiment) -> Iterator[Check]:
    """Look at an experiment's store; nothing in it is changed."""
    folder, writable = _folder(experiment.store)
    yield folder
    if writable:
        yield _disk(experiment.store)
    try:
        state = inspect_ledger(experiment.ledger_url, experiment.name)
    except StoreError as error:
        yield Check("store", "ledger", "problem", str(error), _ledger_remedy(experiment))
        return
    where = shown_url(experiment.ledger_url)
    if state is None and (file := ledger_file(experiment.ledger_url)) and is_lost(file) and sound_backups(file):
        found = f"{where} is {'empty' if file.exists() else 'gone'}, though there is a backup of it"
        yield Check("store", "ledger", "problem", found, _ledger_remedy(experiment))
        return
    if state is None:
        yield Check("store", "ledger", "ok", f"{where}: none yet, the first run makes it")
        return
    yield Check("store", "ledger", "ok", f"{where}: version {state.version}, {state.last_position} events")
    yield _trials(state)
    yield _sweeps(state, experiment)
    yield _vault(Vault(experiment.store / "vault"), state.fit_keys, _repair(experiment))
    yield _projections(state, experiment)
    yield _programs(experiment.store / "programs")


def _ledger_remedy(experiment: Experiment) -> str:
    file = ledger_file(experiment.ledger_url)
    if file is None:
        return "Check that its server runs, and answers from here."
    backups = sound_backups(file)
    if not backups:
        return hint(file)
    return f"{_repair(experiment)} moves it away and puts {backups[0]} in its place."


def _repair(experiment: Experiment) -> str:
    return f"workbench doctor {experiment.root} --repair"


def _folder(store: Path) -> tuple[Check, bool]:
    """Return what is known of the folder, and whether it can be written."""
    there = next(folder for folder in (store, *store.parents) if folder.exists())
    found = str(store) if there == store else f"{store}: none yet, the first run makes it"
    if not there.is_dir():
        remedy = "A store is a folder: name another one (--store, or store: in experiment.yaml)."
        return Check("store", "folder", "problem", f"{there} is a file", remedy), False
    if _can_write(there, really=there == store):
        return Check("store", "folder", "ok", found), True
    remedy = f"Get the right to write there (ls -ld {there}), or use another --store."
    return Check("store", "folder", "problem", f"{store} cannot be written", remedy), False


def _can_write(folder: Path, *, really: bool) -> bool:
    if not really:
        return os.access(folder, os.W_OK | os.X_OK)
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _disk(store: Path) -> Check:
    there = next(folder for folder in (store, *store.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    found, remedy = f"{gibibytes(free)} free", "Free some, or use a --store on another disk."
    if free < TOO_LITTLE:
        return Check("store", "disk", "problem", found, remedy)
    return Check("store", "disk", "warning", found, remedy) if free < SCARCE else Check("store", "disk", "ok", found)


def _trials(state: LedgerState) -> Check:
    found = ", ".join(f"{count} {name}" for name, count in state.trials.items()) or "none yet"
    if state.last_failure is None:
        return Check("store", "trials", "ok", found)
    codes = ", ".join(f"{count} {code}" for code, count in state.failures.items())
    remedy = f"The last one said: {state.last_failure.message.strip().splitlines()[0][:300]}"
    return Check("store", "trials", "warning", f"{found} ({codes})", remedy)


def _sweeps(state: LedgerState, experiment: Experiment) -> Check:
    dead = [sweep for sweep in state.open_sweeps if sweep.dead]
    alive = [sweep for sweep in state.open_sweeps if not sweep.dead]
    found = ", ".join(f"sweep {sweep.number} is running ({sweep.owner.rpartition(':')[0]})" for sweep in alive)
    if not dead:
        return Check("store", "sweeps", "ok", found or "none is running")
    lost = ", ".join(f"sweep {s.number} was left by a driver that died ({s.owner.rpartition(':')[0]})" for s in dead)
    remedy = f"workbench run {experiment.root} closes it and goes on with its trials; {_repair(experiment)} closes it."
    return Check("store", "sweeps", "warning", "; ".join(filter(None, (lost, found))), remedy)


def _vault(vault: Vault, fit_keys: tuple[str, ...], repair: str) -> Check:
    deadline, read, bad = time.monotonic() + VAULT_SECONDS, 0, []
    for key in fit_keys:
        if time.monotonic() > deadline:
            break
        read += 1
        if not _readable(vault, key):
            bad.append(key)
    aside = sum(1 for _ in (vault.root / DAMAGED).glob("*"))
    found = f"{read - len(bad)} fits read" + (f" of {len(fit_keys)}" if read < len(fit_keys) else "")
    found += f", {aside} damaged ones set aside earlier" if aside else ""
    if bad:
        remedy = (
            f"Their trials keep their scores but cannot be blended. {repair} names them, and what trains them anew."
        )
        return Check("store", "vault", "warning", f"{found}, {len(bad)} absent or damaged: {bad[0]} …", remedy)
    if aside:
        remedy = f"They are not used; look at them or delete them: {vault.root / DAMAGED}"
        return Check("store", "vault", "warning", found, remedy)
    return Check("store", "vault", "ok", found)


def _readable(vault: Vault, fit_key: str) -> bool:
    try:
        return not vault.damage(fit_key)
    except StoreError:
        return False


def _projections(state: LedgerState, experiment: Experiment) -> Check:
    config = experiment.config.tracking
    names = projection_names(tracking_uri(config, experiment.store), tensorboard=config.tensorboard)
    behind = {name.partition(":")[0]: state.last_position - state.positions.get(name, 0) for name in names}
    late = ", ".join(f"{name} is {count} events behind" for name, count in behind.items() if count > 0)
    if not late:
        return Check("store", "projections", "ok", f"{' and '.join(behind)} show every event")
    if any(not sweep.dead for sweep in state.open_sweeps):
        return Check("store", "projections", "ok", f"{late}; a sweep is running")
    log = experiment.store / "logs" / "projector.log"
    remedy = f"The next workbench run catches up, or {_repair(experiment)}. If it stays so, see why: {log}"
    return Check("store", "projections", "warning", late, remedy)


def _programs(folder: Path) -> Check:
    """Say what compiled programs take; workers delete some while one looks."""
    sizes = []
    for path in folder.rglob("*-cache"):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    found = f"{counted(len(sizes), 'compiled program')} kept, {sum(sizes) / 2**20:.1f} MiB"
    return Check("store", "programs", "ok", found)
