"""``workbench merge DIR --oof …``: predictions of models that the workbench did not train, as trials of a guest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from workbench import signals
from workbench.data.content import array_digest
from workbench.errors import Busy, ConfigError, DataError
from workbench.exchange.author import author_name
from workbench.exchange.given import Given
from workbench.exchange.guests import guest_label, record_guest, split_scores
from workbench.exchange.joining import Joined, join
from workbench.exchange.manifest import LABEL
from workbench.experiment import Experiment
from workbench.store.events import TrialStarted
from workbench.store.ledger import Trial
from workbench.store.vault import write_predictions, write_result
from workbench.sweep import open_sweep
from workbench.types import TrialResult, fingerprint, trial_name
from workbench.workspace import Workspace, guest_ground, open_workspace

Outcome = Literal["new", "already there", "restored"]


@dataclass(frozen=True)
class Adopted:
    """What became of somebody's predictions."""

    file: Path
    trial: str
    """Its name here, such as ``catboost@bob#0000``."""
    metric: str
    result: TrialResult
    outcome: Outcome
    blended: bool
    """Whether blends may have it: it predicts the test table, if there is one."""
    notices: tuple[str, ...]


@signals.listening()
def merge_predictions(
    experiment: Experiment | Path | str, oof: Path, test: Path | None = None, *, author: str, name: str = "model"
) -> Adopted:
    """Take predictions that somebody made elsewhere: a trial on the leaderboard and in blends, without a model.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        oof: a table of out-of-fold predictions; see `workbench.exchange.given.Given.read`.
        test: one of the test table; without it the trial is compared, and not blended where there is a test table.
        author: who made them.
        name: what they are of, such as ``catboost``: the trial is ``catboost@bob#0000``. The same out-of-fold
            predictions with others of the test table are a new trial, in the place of the one before.

    Raises:
        ConfigError: a name cannot be used.
        DataError: the tables cannot be used, or are of other rows or folds.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    experiment = Experiment.of(experiment)
    if not LABEL.fullmatch(name):
        raise ConfigError(f"--name is '{name}', expected letters, digits, '_', '.' and '-', such as catboost")
    with open_workspace(experiment) as workspace:
        schema, encoding = workspace.dataset.schema, experiment.config.data.encoding
        tested = None if test is None else Given.read(test, schema, encoding=encoding)
        joined = join(workspace.dataset, workspace.plan, Given.read(oof, schema, encoding=encoding), tested)
        adoption = Adoption(workspace, oof, author_name(author), name, joined)
        adopted = adoption.place()
        if adopted.outcome != "new":
            return adopted
        with open_sweep(workspace, began, f"merge {oof.name}, of {author}"[:200]) as sweep:
            return adoption.record(adopted, sweep.number)


class Adoption:
    """Joined predictions on their way into vault and ledger."""

    def __init__(self, workspace: Workspace, file: Path, author: str, name: str, joined: Joined) -> None:
        """Score the predictions.

        Raises:
            DataError: the metric gives no number for them.
        """
        self._workspace, self._file, self._author, self._joined = workspace, file, author, joined
        self._label = guest_label(name, author)
        studies = [study for study in workspace.guests if study.family == self._label]
        self._trials = [trial for study in studies for trial in workspace.ledger.trials(study.id) if trial.result]
        self._result = self._scored()

    def _scored(self) -> TrialResult:
        """Return the result, its score the mean over splits as that of any trial."""
        oof, test = self._joined.oof, self._joined.test
        scores = np.array(split_scores(self._workspace, oof))
        if not np.isfinite(scores).all():
            raise DataError(
                f"{self._file}: the metric '{self._workspace.metric.name}' gives {scores.tolist()} by split"
            )
        tested = "" if test is None else array_digest(test)
        ground, key = guest_ground(self._workspace.ground), self._workspace.dataset.test_key
        parts = [ground, self._label, array_digest(np.concatenate(oof)), tested and key, tested]
        return TrialResult(
            score=float(scores.mean()),
            score_se=float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0,
            scores=tuple(scores.tolist()),
            values={},
            fit_key=fingerprint("foreign", *parts),
        )

    def place(self) -> Adopted:
        """Put the predictions into the vault, where they are not there yet; a ``new`` trial has no name yet."""
        alike = self._alike()
        if self._joined.test is None and alike:  # they came before, perhaps with predictions of the test table
            return self._told(alike[-1].name, "already there")
        known = next((trial for trial in self._trials if _key(trial) == self._result.fit_key), None)
        placed = self._placed()
        if known is None:
            return self._told("", "new")
        said = self._retired([trial for trial in alike if trial.number != known.number])
        return self._told(known.name, "restored" if placed else "already there", said)

    def record(self, adopted: Adopted, sweep: int) -> Adopted:
        """Write a new trial into the ledger, and return what became of it with its name.

        Those whose place it takes go when it is there: a merge that ends before has changed no blend.
        """
        started = TrialStarted(
            sweep=sweep,
            study=0,
            trial=0,
            attempt=0,
            family=self._label,
            number=0,
            values={},
            code="",
            origin="merge",
            note=f"predictions of {self._file.name}",
            author=self._author,
        )
        number = record_guest(self._workspace, started, self._result)
        if number is None:
            raise Busy(f"somebody merges {self._file} now; merge it again to see what became of it")
        said = self._retired(self._alike())
        return replace(adopted, trial=trial_name(self._label, number), notices=(*adopted.notices, *said))

    def _alike(self) -> list[Trial]:
        """Return the trials of the same name that have the same out-of-fold predictions, by number."""
        vault, oof = self._workspace.vault, self._joined.oof
        return [
            trial
            for trial in self._trials
            if vault.has(_key(trial)) and all(map(np.array_equal, vault.oof(_key(trial)), oof))
        ]

    def _placed(self) -> bool:
        """Put the predictions into the vault, and say whether some were not there."""
        vault, key, test_key = self._workspace.vault, self._result.fit_key, self._workspace.dataset.test_key
        if not vault.has(key):
            with vault.writing(key) as folder:
                write_predictions(folder, self._joined.oof, self._joined.test, test_key)
                write_result(folder, self._result)
            return True
        if self._joined.test is None or vault.has_test(key, test_key):
            return False
        vault.set_test(key, test_key, self._joined.test)
        return True

    def _retired(self, trials: Sequence[Trial]) -> tuple[str, ...]:
        """Let trials be blended no more, as others have the same out-of-fold predictions and newer ones of the test."""
        vault, test_key = self._workspace.vault, self._workspace.dataset.test_key
        blended = [trial for trial in trials if vault.has_test(_key(trial), test_key)]
        for trial in blended:
            vault.set_test(_key(trial), test_key, None)
        return tuple(
            f"it takes the place of {trial.name}, which has the same out-of-fold predictions and is blended no more"
            for trial in blended
        )

    def _told(self, trial: str, outcome: Outcome, said: Sequence[str] = ()) -> Adopted:
        metric = self._workspace.metric
        return Adopted(
            file=self._file,
            trial=trial,
            metric=metric.name,
            result=self._result,
            outcome=outcome,
            blended=self._joined.test is not None or not self._workspace.dataset.test_key,
            notices=(*self._joined.notices, *said),
        )


def _key(trial: Trial) -> str:
    return "" if trial.result is None else trial.result.fit_key
