"""``workbench merge``: what a team member packed, into one's own ledger and vault. Nothing of it is executed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench import signals
from workbench.errors import DataError
from workbench.exchange.code import CodeFolders
from workbench.exchange.ground import check_ground
from workbench.exchange.guests import guest_label, record_guest
from workbench.exchange.manifest import PackedTrial
from workbench.exchange.opening import Pack, check_room, opened
from workbench.exchange.safety import family_problem, same_version
from workbench.exchange.taking import Taker, guest_key
from workbench.experiment import Experiment
from workbench.store.events import TrialStarted
from workbench.store.ledger import Study, Trial
from workbench.sweep import open_sweep
from workbench.types import FamilyRef, trial_name
from workbench.workspace import Workspace, open_workspace

Outcome = Literal["new", "already there", "restored", "models added", "refused"]


@dataclass(frozen=True)
class Fate:
    """What became of one trial of a pack."""

    theirs: str
    """Its name at the author's."""
    name: str
    """Its name here, such as ``lightgbm@alice#0017``; empty where it was refused."""
    score: float
    outcome: Outcome
    remark: str = ""


@dataclass(frozen=True)
class Merged:
    """What became of a pack."""

    file: Path
    author: str
    metric: str
    fates: tuple[Fate, ...]
    code: tuple[Path, ...]
    """Files of code that were copied here: they run when one of their models is exported or predicts."""

    @property
    def refused(self) -> int:
        """So many trials were not taken."""
        return sum(fate.outcome == "refused" for fate in self.fates)


@signals.listening()
def merge(experiment: Experiment | Path | str, file: Path) -> Merged:
    """Take the trials of a pack: they are on the leaderboard and in blends, as families of their own.

    ``lightgbm@alice`` is a study that no engine learns from and no budget counts. What is there already stays; what was
    damaged since is restored. Nothing is unpickled, imported or run.

    Raises:
        DataError: the pack is damaged, not to be trusted, or of other data, folds or another metric.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    experiment = Experiment.of(experiment)
    with open_workspace(experiment) as workspace, opened(file) as pack:
        merging = Merging(workspace, pack)
        fates = merging.take()
        if any(fate.outcome == "new" for fate in fates):
            title = f"merge {file.name}, of {pack.manifest.author}"
            with open_sweep(workspace, began, title[:200]) as sweep:
                fates = merging.record(fates, sweep.number)
        return merging.told(fates)


class Merging:
    """A pack on its way into a workspace."""

    def __init__(self, workspace: Workspace, pack: Pack) -> None:
        """Refuse what can be refused as a whole.

        Raises:
            DataError: it is of other data, folds or another metric.
            StoreError: there is no room for it.
        """
        self._workspace, self._pack, self._manifest = workspace, pack, pack.manifest
        check_ground(pack.file, pack.manifest, workspace)
        check_room(pack.file, pack.manifest, workspace.experiment.store)
        self._code = CodeFolders(pack, workspace.experiment.store / "code")
        self._own = {t.result.fit_key: t.name for s in workspace.studies for t in self._trials(s) if t.result}
        self._guests = {t.result.fit_key: t.name for s in workspace.guests for t in self._trials(s) if t.result}

    def _trials(self, study: Study) -> Sequence[Trial]:
        return self._workspace.ledger.trials(study.id)

    def take(self) -> tuple[Fate, ...]:
        """Put the fits into the vault, and say what becomes of each trial; ``new`` ones have no name yet."""
        return tuple(self._take(trial) for trial in self._manifest.trials)

    def record(self, fates: Sequence[Fate], sweep: int) -> tuple[Fate, ...]:
        """Write the new trials into the ledger, and return the fates with the names that they have here."""
        pairs = zip(self._manifest.trials, fates, strict=True)
        return tuple(self._record(trial, fate, sweep) if fate.outcome == "new" else fate for trial, fate in pairs)

    def told(self, fates: Sequence[Fate]) -> Merged:
        """Return what there is to be said."""
        return Merged(
            self._pack.file, self._manifest.author, self._manifest.metric.name, tuple(fates), self._code.files
        )

    # --- the vault ---------------------------------------------------------------------------------------------------

    def _take(self, trial: PackedTrial) -> Fate:
        key = guest_key(self._manifest.author, trial)
        score, here = trial.result.score, self._guests.get(key, "")
        if trial.fit_key in self._own:
            return Fate(trial.name, self._own[trial.fit_key], score, "already there", "the same fit as one of yours")
        try:
            outcome, remark = self._stored(key, trial, known=bool(here))
        except DataError as error:
            return Fate(trial.name, "", score, "refused", str(error))
        return Fate(trial.name, here, score, outcome, remark)

    def _stored(self, key: str, trial: PackedTrial, *, known: bool) -> tuple[Outcome, str]:
        """Put a trial's fit where it is not there yet; return what that came to, and what there is to be said."""
        workspace, why = self._workspace, self._why_alone(trial)
        family = self._here(trial) if not why else trial.family
        taker = Taker(workspace, self._pack, trial, family, key, bundled=not why)
        if not workspace.vault.has(key):
            taker.write()
            return ("restored" if known else "new"), self._remark(why)
        if not why and not workspace.bundled(key):
            taker.add_models()
            return ("models added" if known else "new"), ""
        return ("already there" if known else "new"), "" if known else self._remark(why)

    def _why_alone(self, trial: PackedTrial) -> str:
        """Return why a trial's predictions come without its models; empty where the models come too."""
        if not trial.bundled:
            return "packed without models"
        if said := family_problem(trial.family, self._manifest.code):
            return said
        if not same_version(trial.family):
            return f"{trial.family.name} is of another version here"
        return ""

    def _remark(self, why: str) -> str:
        """Say what becomes of a trial without its models: a submission may hold it, and no exported model."""
        if not why:
            return ""
        if self._workspace.dataset.test_key in ("", self._manifest.test_key):
            return f"predictions alone, blended and not exported: {why}"
        return f"predictions alone, of another test table, and so not blended: {why}"

    def _here(self, trial: PackedTrial) -> FamilyRef:
        """Return a trial's family under its name here, its code copied to the store."""
        family, features = trial.family, trial.family.features
        changes: dict[str, object] = {"name": self._label(trial)}
        if family.root is not None:
            changes["root"] = self._code.folder(family.root)
        if features is not None:
            changes["features"] = features.model_copy(update={"root": self._code.folder(features.root)})
        return family.model_copy(update=changes)

    def _label(self, trial: PackedTrial) -> str:
        return guest_label(trial.family.name, self._manifest.author)

    # --- the ledger --------------------------------------------------------------------------------------------------

    def _record(self, trial: PackedTrial, fate: Fate, sweep: int) -> Fate:
        label, features = self._label(trial), trial.family.features
        started = TrialStarted(
            sweep=sweep,
            study=0,
            trial=0,
            attempt=0,
            family=label,
            features="" if features is None else features.name,
            number=trial.number,
            values=trial.result.values,
            code=trial.family.code,
            origin="merge",
            note=trial.note or f"merged from {self._pack.file.name}",
            author=self._manifest.author,
        )
        fit_key = guest_key(self._manifest.author, trial)
        number = record_guest(self._workspace, started, trial.result.model_copy(update={"fit_key": fit_key}))
        if number is None:  # a merge beside this one was faster
            return Fate(fate.theirs, label, fate.score, "already there", fate.remark)
        return Fate(fate.theirs, trial_name(label, number), fate.score, "new", fate.remark)
