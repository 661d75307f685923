"""``workbench doctor --repair``: does what is safe, says each thing that it does, and asks nothing.

Nothing that holds results is deleted: what is damaged is moved aside. The ledger is the truth; the vault and MLflow are
mended after it. Run again, it finds nothing more to do.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from rich.text import Text

from workbench.doctor.check import Area
from workbench.errors import Busy, ConfigError, StoreError
from workbench.experiment import Experiment
from workbench.store.backup import damage, hint, is_lost, ledger_file, restore, sound_backups
from workbench.store.database import shown_url
from workbench.store.inspection import LedgerState, Recorded, inspect_ledger, recorded_trials
from workbench.store.ledger import Ledger
from workbench.store.repair import repair_vault
from workbench.store.vault import DAMAGED, Vault
from workbench.tracking.environment import ENVIRONMENT
from workbench.tracking.locks import try_lock
from workbench.tracking.positions import mlflow_name
from workbench.tracking.reachable import ask_server, is_server, without_password
from workbench.tracking.uri import sqlite_file, tracking_uri
from workbench.turn import take_turn

NAMED = 5
"""So many trials or differences are named; of more, their number is said."""


@dataclass(frozen=True)
class Step:
    """Something that was looked into, and what was done about it."""

    area: Area
    name: str
    done: str
    left: bool = False
    """Whether something is left that only a person can mend."""


def repair(experiment: Experiment) -> Iterator[Step]:
    """Mend an experiment's store: its ledger, what dead drivers left, its vault, and what MLflow shows of it.

    Raises:
        Busy: a run is at work in the store.
        StoreError: a file cannot be read, moved or written.
    """
    if not experiment.store.is_dir():
        yield Step("store", "folder", f"{experiment.store}: none yet, there is nothing to repair")
        return
    with _alone(experiment.store, experiment.name):
        step, ledger_is = _mend_ledger(experiment.ledger_url)
        yield step
        if ledger_is == "absent":
            return
        with contextlib.closing(Ledger.open(experiment.ledger_url)) as ledger:
            yield _mend_sweeps(ledger, experiment)
            if ledger_is == "restored":
                yield from _mend_folders(_state(experiment).last_sweep, experiment.store / "sweeps")
            yield from _mend_vault(Vault(experiment.store / "vault"), recorded_trials(ledger.url), experiment.root)
            yield from _mend_mlflow(ledger, experiment)


def mend_experiment(experiment: Experiment | None, say: Callable[[Text], None]) -> bool:
    """Repair an experiment's store and say each step when it is done; return whether nothing is left to do.

    Raises:
        ConfigError: there is no experiment.
        Busy: a run is at work in the store.
        StoreError: a file cannot be read, moved or written.
    """
    if experiment is None:
        raise ConfigError("--repair needs an experiment: workbench doctor DIR --repair")
    left = False
    for step in repair(experiment):
        say(Text(f"{step.name:<8}  {step.done}", style="yellow" if step.left else ""))
        left = left or step.left
    return not left


@contextlib.contextmanager
def _alone(store: Path, name: str) -> Iterator[None]:
    """Hold the turn of every experiment of the store: the ledger is all of theirs."""
    names = {name, *(file.stem.removeprefix("turn-") for file in store.glob("turn-*.lock"))}
    with contextlib.ExitStack() as held:
        for each in sorted(names):
            try:
                held.enter_context(take_turn(store, each, "leave", _silent))
            except Busy as error:
                raise Busy(f"{str(error).partition(';')[0]}; repair when it has ended") from error
        yield


def counted(count: int, what: str) -> str:
    """Return a number and what it counts: ``1 fit``, ``2 fits``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _silent(_: str) -> None: ...


# --- the ledger ------------------------------------------------------------------------------------------------------


def _mend_ledger(url: str) -> tuple[Step, Literal["sound", "restored", "absent"]]:
    """Put the newest good backup in the place of a damaged ledger; say what was done, and what there is now."""
    file = ledger_file(url)
    if file is None:
        return Step("store", "ledger", "on a server, which keeps its own backups"), "sound"
    backups = sound_backups(file)
    if is_lost(file):
        what = "is empty" if file.exists() else "is gone"
        if not backups:
            return Step("store", "ledger", f"{file}: none yet, the first run makes it"), "absent"
    elif said := damage(file):
        what = f"is damaged ({said})"
    else:
        return Step("store", "ledger", f"{file} is sound"), "sound"
    if not backups:
        return Step("store", "ledger", f"{file} {what}. {hint(file)}", left=True), "absent"
    aside = restore(file, backups[0])
    moved = f", and is {aside.name} now" if aside else ""
    text = f"{file} {what}{moved}. In its place is {backups[0]}; trials since then are searched again"
    return Step("store", "ledger", text), "restored"


def _mend_sweeps(ledger: Ledger, experiment: Experiment) -> Step:
    dead = _dead_sweeps(experiment)
    queued = ledger.reap()
    closed = [str(number) for number in dead if number not in _dead_sweeps(experiment)]
    if not queued and not closed:
        return Step("store", "sweeps", "none was left by a dead driver")
    sweeps = f"; sweep {', '.join(closed)} closed as interrupted" if closed else ""
    return Step("store", "sweeps", f"{counted(queued, 'trial')} of dead drivers queued{sweeps}")


def _dead_sweeps(experiment: Experiment) -> list[int]:
    return [sweep.number for sweep in _state(experiment).open_sweeps if sweep.dead]


def _state(experiment: Experiment) -> LedgerState:
    state = inspect_ledger(experiment.ledger_url, experiment.name)
    if state is None:
        raise StoreError(f"the ledger {shown_url(experiment.ledger_url)} went away meanwhile")
    return state


def _mend_folders(last: int, root: Path) -> Iterator[Step]:
    """Move the folders of sweeps aside that a restored ledger does not know: it will give their numbers again."""
    for folder in sorted(root.glob("[0-9][0-9][0-9][0-9]*")):
        if folder.name.isdecimal() and int(folder.name) > last:
            aside = folder.with_name(f"{folder.name}.unknown-{datetime.now().astimezone():%Y%m%dT%H%M%S}")
            try:
                folder.rename(aside)
            except OSError as error:
                raise StoreError(f"{folder} cannot be renamed: {error}") from error
            yield Step("store", "delivery", f"{folder} is of a sweep that the ledger does not know; it is {aside.name}")


# --- the vault -------------------------------------------------------------------------------------------------------


def _mend_vault(vault: Vault, trials: list[Recorded], root: Path) -> Iterator[Step]:
    by_key = {trial.result.fit_key: trial for trial in reversed(trials) if trial.result and trial.result.fit_key}
    found = repair_vault(vault, by_key)
    removed = [
        f"{counted(count, what)} removed"
        for count, what in ((found.leftovers, "leftover"), (found.checkpoints, "old checkpoint"))
        if count
    ]
    unnamed = [f"no trial names {found.unnamed} of them; they are kept as a cache"] if found.unnamed else []
    yield Step("store", "vault", "; ".join([f"{counted(found.sound, 'sound fit')}", *unnamed, *removed]))
    for key, said in found.damaged.items():
        whose = by_key[key].name if key in by_key else "no trial of the ledger"
        yield Step("store", "vault", f"the fit {key} of {whose} is now below {vault.root / DAMAGED}: {said}")
    missing = [by_key[key] for key in sorted(found.missing)]
    for trial in missing[:NAMED]:
        yield Step(
            "store",
            "vault",
            f"{trial.name} keeps its score and cannot be blended; to train it anew: {_anew(trial, root)}",
        )
    if missing[NAMED:]:
        yield Step("store", "vault", f"and {counted(len(missing) - NAMED, 'more trial')} like these")


def _anew(trial: Recorded, root: Path) -> str:
    """Return the command that evaluates a trial's configuration again."""
    family = trial.name.rpartition("#")[0]
    values = trial.result.values if trial.result else {}
    given = [part for name, value in values.items() for part in ("--values", f"{name}={value}")]
    return shlex.join(["workbench", "try", str(root), family, *given])


# --- MLflow ----------------------------------------------------------------------------------------------------------


def _mend_mlflow(ledger: Ledger, experiment: Experiment) -> Iterator[Step]:
    uri, store = tracking_uri(experiment.config.tracking, experiment.store), experiment.store
    if is_server(uri) and (answer := ask_server(uri)).reach != "answers":
        yield Step("tracking", "MLflow", f"{without_password(uri)} {answer.text}; nothing was compared", True)
        return
    lock = try_lock(store / "projector.lock")
    if lock is None:
        yield Step("tracking", "MLflow", "a projector is at work on it; nothing was compared", True)
        return
    with lock:
        yield from _mend_file(sqlite_file(uri))
        yield from _mend_runs(ledger, store, uri)


def _mend_file(file: Path | None) -> Iterator[Step]:
    """Move MLflow's database aside where it is damaged: everything in it but people's own notes is in the ledger."""
    if file is None or is_lost(file) or not (said := damage(file, "experiments")):
        return
    aside = file.with_name(f"{file.name}.damaged-{datetime.now().astimezone():%Y%m%dT%H%M%S}")
    try:
        file.rename(aside)
    except OSError as error:
        raise StoreError(f"{file} cannot be moved: {error}") from error
    yield Step("tracking", "MLflow", f"{file} is damaged ({said}); it is {aside.name} now, and is made anew")


def _mend_runs(ledger: Ledger, store: Path, uri: str) -> Iterator[Step]:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from workbench.tracking.compare import compare
    from workbench.tracking.mend import mend
    from workbench.tracking.mlflow_store import open_client

    open_client(uri, store)
    differences, last = compare(ledger, uri), ledger.last_position()
    if not differences and ledger.position(mlflow_name(uri)) >= last:
        yield Step("tracking", "MLflow", f"shows every trial as the ledger has it ({last} events)")
        return
    for difference in differences[:NAMED]:
        yield Step("tracking", "MLflow", str(difference))
    more = f", for the above and {len(differences) - NAMED} more" if differences[NAMED:] else ""
    still = mend(ledger, store, uri, differences)
    aside = len({run for difference in differences for run in difference.runs})
    what = f"{counted(last, 'event')} shown again{more}"
    what += f"; {counted(aside, 'run')} that the ledger denies set aside (their tag wb.kind says so)" if aside else ""
    yield Step("tracking", "MLflow", what if still else f"{what}; it shows every trial as the ledger has it now")
    for difference in still[:NAMED]:
        yield Step("tracking", "MLflow", f"still differs: {difference}", True)
