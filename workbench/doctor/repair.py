"""``workbench doctor --repair``: does what is safe, says each thing that it does, and asks nothing.

Nothing that holds results is deleted: what is damaged is moved aside. The ledger is the truth; the vault and MLflow are
mended after it. Run again, it finds nothing more to do.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from rich.text import Text

from workbench.doctor.repair_mlflow import mend_mlflow
from workbench.doctor.step import NAMED, Step
from workbench.errors import Busy, ConfigError, StoreError
from workbench.experiment import Experiment
from workbench.store.backup import damage, hint, is_lost, ledger_file, move_aside, restore, sound_backups
from workbench.store.database import shown_url
from workbench.store.inspection import LedgerState, Recorded, inspect_ledger, recorded_trials
from workbench.store.ledger import Ledger
from workbench.store.repair import repair_vault
from workbench.store.vault import DAMAGED, Vault
from workbench.turn import take_turn
from workbench.wording import counted


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
            yield from mend_mlflow(ledger, experiment)


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
            aside = move_aside(folder, "unknown")
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
            f"{trial.name} keeps its score and cannot be blended; {_remedy(trial, root)}",
        )
    if missing[NAMED:]:
        yield Step("store", "vault", f"and {counted(len(missing) - NAMED, 'more trial')} like these")


def _remedy(trial: Recorded, root: Path) -> str:
    """Return the command that evaluates a trial's configuration again, or brings that of a team member again."""
    family = trial.name.rpartition("#")[0]
    _, _, author = family.partition("@")
    if author:
        return f"to have it again, merge {author}'s pack: {shlex.join(['workbench', 'merge', str(root), 'PACK.wbz'])}"
    values = trial.result.values if trial.result else {}
    given = [part for name, value in values.items() for part in ("--values", f"{name}={value}")]
    return f"to train it anew: {shlex.join(['workbench', 'try', str(root), family, *given])}"
