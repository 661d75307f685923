"""``result.json``: the stable, machine-readable answer of a sweep.

Its JSON schema is ``SweepResult.model_json_schema()``. The integer ``version`` is raised when a field changes its
meaning or goes; fields may be added under the same version, so that readers must ignore those they do not know.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from workbench.blending.holdout import HoldoutScores
from workbench.blending.result import BlendResult, MemberRef
from workbench.delivery.files import write_text
from workbench.delivery.refit import Refit, Refits
from workbench.delivery.tally import Tally
from workbench.errors import StoreError
from workbench.types import Direction, FailureCode, TrialState

VERSION = 1


class ResultPart(BaseModel):
    """Base of the parts: frozen; unknown fields of a later writer are ignored; field docstrings are in the schema."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, ser_json_inf_nan="null")


class Scores(ResultPart):
    """The blend's scores by name, in the metric's units; ``null`` where there is none."""

    in_sample: float | None = None
    """Score on the rows on which the weights were fitted: optimistic."""
    nested: float | None = None
    """Mean over splits, each scored with weights fitted on the other splits' rows. Corrected for the fitting of
    weights, not for the choice of trials."""
    nested_se: float | None = None
    """Standard error of ``nested`` over splits."""
    best_single: float | None = None
    """Out-of-fold score of the best single member."""
    holdout: float | None = None
    """Score on rows that no fold, search or blend has seen; only with a holdout in the experiment."""
    holdout_se: float | None = None
    """Standard error of ``holdout``: bootstrap of the rows."""
    best_single_holdout: float | None = None
    """Score on the same rows of the trial that is the best out-of-fold."""
    holdout_gain_se: float | None = None
    """Standard error of the difference between ``holdout`` and ``best_single_holdout``."""
    refit_holdout: float | None = None
    """Score on the same rows of the members as they were refitted on all others: of what is delivered then."""
    holdout_rows: int | None = None
    """So many rows were set aside."""

    @classmethod
    def of(cls, blend: BlendResult) -> Scores:
        """Return a blend's scores."""
        return cls(
            in_sample=_finite(blend.in_sample),
            nested=_finite(blend.nested),
            nested_se=_finite(blend.nested_se),
            best_single=_finite(blend.best_single),
            **({} if blend.holdout is None else {name: _finite(value) for name, value in blend.holdout}),
        )

    @property
    def held(self) -> HoldoutScores | None:
        """The scores on the rows set aside."""
        known = {name: getattr(self, name) for name in HoldoutScores.model_fields}
        if self.holdout is None:
            return None
        return HoldoutScores(**{name: math.nan if value is None else value for name, value in known.items()})


class ResultPaths(ResultPart):
    """What the sweep left behind: absolute paths, ``null`` for what was not written."""

    folder: Path
    """The sweep's own folder, in which ``result.json`` lies."""
    store: Path
    """The store with ledger, vault and tracking."""
    leaderboard: Path | None = None
    submission: Path | None = None
    report: Path | None = None
    model: Path | None = None
    """The exported MLflow model's folder."""


class SweepResult(ResultPart):
    """What one sweep came to."""

    version: Literal[1] = 1
    """Version of this file's format."""
    experiment: str
    """Name of the experiment, in MLflow too."""
    sweep: int
    """The sweep's number in the ledger."""
    title: str
    """The sweep's name, such as ``0042 nightly 2026-11-20``."""
    state: Literal["complete", "interrupted"] = "complete"
    """``interrupted``: it was stopped, and delivers what was there."""
    metric: str
    direction: Direction
    """Whether a smaller or a larger score is better."""
    scores: Scores
    """The blend's scores by name."""
    method: str
    """The ensemble method."""
    members: tuple[MemberRef, ...]
    """The blend's members, heaviest first: ``weight``, ``family``, ``number``, ``score`` (out-of-fold), ``score_se``,
    ``values`` (hyperparameters) and ``fit_key`` (its place in the vault). Weights sum to 1."""
    refits: tuple[Refit, ...] = ()
    """Members that were fitted once more on all rows (``ensemble.final``), of which the model and the submission are
    made; one that could not be says why, and counts with the models of its folds. ``scores`` are those of the folds'
    models: a refit has no out-of-fold score of its own."""
    trials: dict[str, dict[TrialState, int]]
    """Number of trials by family and state: ``complete``, ``pruned`` (stopped as hopeless, without a score),
    ``screened`` (only a part was evaluated), ``failed``, ``running`` and ``queued`` (left for the next sweep)."""
    failures: dict[str, dict[FailureCode, int]] = {}
    """Number of failed trials by family and reason."""
    promoted: dict[str, int] = {}
    """Number of trials by family that went on as whole ones after their screening; they are in ``trials`` too."""
    seconds: float
    """Wall time of the sweep, delivery included."""
    seed: int
    """The experiment's seed."""
    data_key: str = ""
    """Key of the training table's content."""
    plan_key: str = ""
    """Key of the fold plan: scores compare only where ``data_key`` and ``plan_key`` are equal."""
    paths: ResultPaths
    tracking_uri: str | None = None
    """MLflow tracking URI."""
    mlflow_run_id: str | None = None
    """The sweep's MLflow run; ``null`` while the tracking server has not been reached."""
    versions: dict[str, str] = {}
    """Versions of Python and of the libraries that the scores depend on."""

    @property
    def refitted(self) -> Refits:
        """The refits of the blend's own members; ``refits`` may have some of the exported model alone."""
        found = {refit.trial: refit for refit in self.refits}
        return Refits(of={m.fit_key: found[m.trial] for m in self.members if m.trial in found})

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What became of the trials, by family."""
        return tuple(
            Tally(
                family=family,
                states=states,
                failures=self.failures.get(family, {}),
                promoted=self.promoted.get(family, 0),
            )
            for family, states in self.trials.items()
        )


def write_result(path: Path, result: SweepResult) -> Path:
    """Write ``result.json`` in one step."""
    return write_text(path, result.model_dump_json(indent=2) + "\n")


def read_result(path: Path) -> SweepResult:
    """Read ``result.json``.

    Raises:
        StoreError: It is absent, damaged, or of a newer version.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        found = content["version"]
        if isinstance(found, int) and found > VERSION:
            raise StoreError(
                f"{path} has version {found}, this program reads up to {VERSION}: install a newer workbench"
            )
        return SweepResult.model_validate(content)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise StoreError(f"{path} cannot be read as a sweep's result: {error}") from error


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
