"""The values that cross borders between rooms and processes: frozen, validated, and JSON both ways.

Arrays do not travel in them; paths do. Words are those of the glossary in ``docs/architecture.md``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Task = Literal["binary", "multiclass", "regression"]
ColumnKind = Literal["numeric", "categorical", "boolean", "datetime", "ignored"]
Direction = Literal["minimize", "maximize"]
Needs = Literal["values", "probabilities", "labels"]
Backend = Literal["jax", "tensorflow"]
Stopping = Literal["fold", "inner"]
Fuse = Literal["auto", "map", "vmap", "shard", "off"]
DtypePolicy = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Scalar = bool | int | float | str
Origin = Literal["search", "try", "merge"]
"""Who began a trial: a search, a person who tried a configuration, or a team member, whose ledger ran it."""
Verdict = Literal["better", "worse", "noise"]
BASE_FAMILY = "dummy"
"""What everything must beat: shown on the leaderboard, never blended with better ones, without feature sets."""
Values = dict[str, Scalar]
FailureCode = Literal["factory", "shape", "nonfinite", "oom", "timeout", "disk", "lost", "internal"]
AttemptState = Literal["running", "complete", "pruned", "screened", "failed", "lost"]
TrialState = Literal["queued", "running", "screened", "complete", "pruned", "failed"]
"""``screened``: a cheap partial evaluation has ended; the trial may be promoted to a whole one, or stays as it is."""
Stage = Literal["whole", "screen", "promoted"]
"""What a trial is worked on as: as a whole from the start, as a screening, or as a whole after its screening."""


class Value(BaseModel):
    """Base of the values that cross borders."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


def fingerprint(*parts: object) -> str:
    """Return a 16-digit hexadecimal key of JSON-able parts; mappings are ordered by key first."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def as_loss(direction: Direction, value: float) -> float:
    """Return a score oriented so that less is better; what is undefined (NaN) comes last."""
    if math.isnan(value):
        return math.inf
    return value if direction == "minimize" else -value


def better(direction: Direction, left: float, right: float) -> bool:
    """Say whether the score ``left`` is strictly better; a NaN is never better, and anything is better than it."""
    return not math.isnan(left) and as_loss(direction, left) < as_loss(direction, right)


# --- data ------------------------------------------------------------------------------------------------------------


class Column(Value):
    """A feature column of the training table.

    ``size`` is the number of distinct categories in the whole training table (0 for the other kinds). It fixes shapes
    only: which category gets which code is fitted in the fold. ``missing`` says whether the column has gaps there; it
    too fixes a shape (whether there is an indicator of missing values).
    """

    name: str
    kind: ColumnKind
    size: int = 0
    missing: bool = False
    cells: ColumnKind | None = None
    """What the cells of a column are that models ignore: feature sets see it as that. ``None`` for the other kinds, and
    for columns that nobody sees (target, weight, fold)."""


class Schema(Value):
    """The training table's columns, taken once from the whole table."""

    columns: tuple[Column, ...]
    target: str
    task: Task
    id: str | None = None
    classes: tuple[Scalar, ...] = ()
    """Labels in code order; for a binary task the second one is the positive class. Empty for regression."""
    rows: int = 0
    """Rows to train on, which bound how wide a preparation makes the table; 0 where nobody knows."""

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that models see."""
        return tuple(column for column in self.columns if column.kind != "ignored")

    @property
    def outputs(self) -> int:
        """The width of a prediction: 1 for regression and binary tasks, else the number of classes."""
        return len(self.classes) if self.task == "multiclass" else 1


class InputSchema(Value):
    """What a preparation gives to models: the same in every fold, taken from the whole table's schema."""

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    """Codes of each categorical feature lie in ``[0, size)``; 0 is the unknown and the missing."""


# --- search space ----------------------------------------------------------------------------------------------------


class Condition(Value):
    """The parameter exists only while ``parameter`` has one of ``values``."""

    parameter: str
    values: tuple[Scalar, ...]


class Parameter(Value):
    """One hyperparameter that a factory declared through ``hp``."""

    name: str
    kind: Literal["int", "float", "choice", "boolean", "fixed"]
    default: Scalar
    low: float | None = None
    high: float | None = None
    """Inclusive; with a step it is itself a value of the grid."""
    step: float | None = None
    """Distance between neighbouring values, or their ratio where ``log`` or ``reverse`` is set."""
    log: bool = False
    """Even in the logarithm: dense near ``low``."""
    reverse: bool = False
    """Dense near ``high``: ``low + high - value`` is even in the logarithm."""
    choices: tuple[Scalar, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def active(self, values: Mapping[str, Scalar]) -> bool:
        """Say whether every condition holds under ``values``."""
        return all(values.get(c.parameter) in c.values for c in self.conditions if c.parameter in values) and all(
            c.parameter in values for c in self.conditions
        )


class Space(Value):
    """The hyperparameters of a factory, parents before children."""

    parameters: tuple[Parameter, ...] = ()

    def defaults(self) -> Values:
        """Return the default of every parameter that is active under the defaults before it."""
        values: Values = {}
        for parameter in self.parameters:
            if parameter.active(values):
                values[parameter.name] = parameter.default
        return values

    def merge(self, other: Space) -> Space:
        """Return this space with the parameters of ``other`` that it lacks, appended in their order."""
        known = {parameter.name for parameter in self.parameters}
        return Space(parameters=self.parameters + tuple(p for p in other.parameters if p.name not in known))

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters that can take more than one value."""
        return tuple(p for p in self.parameters if p.kind != "fixed")


# --- what a worker is told and what it answers -----------------------------------------------------------------------


class MetricRef(Value):
    """A metric by name, or a user's function by reference; `workbench.metrics.load_metric` turns it into a Metric."""

    name: str
    function: str | None = None
    """``module:attribute`` of a user's function; ``None`` for a built-in."""
    root: Path | None = None
    """Folder in which the user's module lies."""
    code: str = ""
    """Code identity of a user's function: an edited metric is another metric."""
    direction: Direction = "minimize"
    needs: Needs = "values"
    monitor: str | None = None
    """Built-in metric that early stopping watches instead."""


class FeaturesRef(Value):
    """A feature set as a worker needs it: the last one of its chain."""

    name: str
    reference: str
    """``module:attribute`` of what `workbench.feature_set` marked."""
    root: Path
    """Folder in which the user's module lies."""
    code: str
    """Code identity of the whole chain: changes when the function, or what it reaches, changes."""


class FamilyRef(Value):
    """A family as a worker needs it."""

    name: str
    """The name that people see; ``lightgbm+v2`` is lightgbm on the feature set v2."""
    factory: str
    """``module:attribute`` of the callable ``build(hp, problem)``."""
    root: Path | None = None
    """Folder in which a user's module lies; ``None`` for what is installed."""
    preparation: str = "scaled"
    """Name of a preparation of ``workbench.data``."""
    features: FeaturesRef | None = None
    """The feature set that the table goes through before its preparation; ``None`` takes the table as it is."""
    code: str
    """Code identity: changes when the factory, or what it reaches, changes."""


class TrainingSettings(Value):
    """How a configuration is trained. Part of the fit key."""

    backend: Backend = "jax"
    epochs: int = 100
    """At most so many epochs of a Keras model."""
    patience: int = 10
    """Epochs without a better monitored value before a Keras model's split ends."""
    batch_size: int = 128
    rounds: int = 1000
    """At most so many rounds of a boosted model."""
    rounds_patience: int = 50
    stopping: Stopping | Literal["none"] = "fold"
    """``none``: nothing is watched and nothing ends early; after exactly `Job.epochs` the last weights are kept."""
    threads: int = 0
    """Threads of one training; 0 means all that the worker has. Not part of the fit key."""
    dtype_policy: DtypePolicy = "float32"
    """Keras' global one, under which factories build."""
    jit_compile: bool | None = None
    """Whether XLA compiles on TensorFlow; ``None`` leaves it to the factory. JAX always compiles."""
    fuse: Fuse = "auto"
    """How all splits of a Keras model train as one program on JAX. Not part of the fit key."""
    deterministic: bool = False
    """Use operations alone that give the same bits each time. Not part of the fit key."""

    @property
    def identity(self) -> dict[str, Any]:
        """What an equal result follows from, as JSON types."""
        return self.model_dump(mode="json", exclude={"threads", "fuse", "deterministic"})


class Screen(Value):
    """A cheap partial evaluation of a configuration: some splits, a part of their training rows, few epochs."""

    splits: tuple[int, ...] = (0,)
    rows: float = 1.0
    """Share of each split's training rows, drawn at random (by class where there are classes)."""
    epochs: int | None = None
    """At most so many epochs, or rounds of a boosted model."""


class Job(Value):
    """One piece of work for a worker: describe a factory, or fit one configuration on every split."""

    kind: Literal["describe", "fit"]
    job_id: str
    dataset: Path
    """Folder written by ``workbench.data.dataset.Dataset.save``."""
    plan: Path
    """File written by ``workbench.data.folds.FoldPlan.save``."""
    family: FamilyRef
    metric: MetricRef
    settings: TrainingSettings = TrainingSettings()
    seed: int = 0
    values: Values = {}
    """Parameters that are missing take the factory's default."""
    fit_key: str = ""
    vault: Path | None = None
    seconds: float | None = None
    """Time for the fit: models with epochs or rounds end early, each split with its share, rather than not at all."""
    epochs: int | None = None
    """At most so many epochs or rounds, as an engine of few epochs first (Hyperband) says; with ``stopping`` 'none'
    exactly so many. Part of the fit key."""
    screen: Screen | None = None
    """Evaluate only so much; nothing is written into the vault."""
    batch_scale: float = 1.0
    """Factor of the batch size: a fit that ran out of memory may be tried at half of it. The result has its own key."""
    checkpoint_s: float | None = None
    """Seconds between checkpoints within a split; ``None`` writes none, and begins anew."""
    space: Space | None = None
    """Ranges of the experiment's configuration, for parameters that the factory declares narrower or wider."""
    may_be_pruned: bool = False
    """Whether the search may end the job early, by what it reports."""

    @property
    def result_key(self) -> str:
        """What the result is known by: the fit's key, or one of its own for another batch size or a screening."""
        key = self.fit_key
        if key and self.batch_scale != 1.0:
            key = fingerprint("batch", key, self.batch_scale)
        if key and self.screen is not None:
            key = fingerprint("screen", key, self.screen.model_dump(mode="json"))
        return key


class Description(Value):
    """What is known of a factory before it is searched."""

    space: Space
    weights: int = 0
    """Trainable weights of the default model; 0 for estimators."""
    seconds: float = 0.0
    notices: tuple[str, ...] = ()
    """What a person should know of it, such as the columns that a feature set made."""


class TrialResult(Value):
    """One configuration evaluated on every split. Splits are in plan order; scores are in the metric's units."""

    score: float
    score_se: float
    scores: tuple[float, ...]
    values: Values
    """The parameters that the factory asked for: inactive ones are absent."""
    best_epochs: tuple[int, ...] = ()
    """1-based; empty for models without epochs."""
    epochs: tuple[int, ...] = ()
    fit_s: float = 0.0
    predict_s: float = 0.0
    peak_mb: float = 0.0
    weights: int = 0
    fit_key: str = ""
    cached: bool = False
    """The vault already held this fit: nothing was trained."""
    truncated: bool = False
    """A deadline ended the training of a split early. Its ``fit_key`` is its own: the configuration may do better."""
    screened: bool = False
    """Only a part was evaluated (`Screen`): the score is of that part, and there is no fit in the vault."""
    batch_scale: float = 1.0
    """Below 1 where memory was short; the ``fit_key`` is its own then."""
    gpu_peak_mb: float = 0.0
    """Most memory held on the worker's GPU, in MB of 10^6 bytes; 0 without one."""
    setup_s: float = 0.0
    """From the job's arrival in the worker to the first step of training: building, tracing, compiling."""
    fused: str = ""
    """How all splits of a Keras model trained as one program: ``map``, ``vmap`` or ``shard``; empty if they did not."""
    unfused: str = ""
    """Why the splits of a Keras model trained one after another; empty if they did not."""
    final: bool = False
    """Trained on all rows, once a seed: there is no out-of-fold prediction, and scores are NaN."""


class Failure(Value):
    """Why an attempt ended without a result."""

    code: FailureCode
    message: str
    traceback: str = ""


class Began(Value):
    """A worker has begun with the job; before that it was started, and loaded its libraries."""

    event: Literal["began"] = "began"
    job_id: str
    device: str = ""
    """What the worker has to itself, as `workbench.execution.devices.Device.name` says; empty without workers."""


class Reported(Value):
    """A validation value at the end of an epoch (1-based) or boosting round."""

    event: Literal["reported"] = "reported"
    job_id: str
    split: int
    epoch: int
    value: float
    loss: float | None = None
    """Training loss of the epoch where the library gives it."""
    together: int = 1
    """So many splits train at once, and report each epoch one after the other; 1 where they train in turn."""


class Described(Value):
    """A describe job's answer."""

    event: Literal["described"] = "described"
    job_id: str
    description: Description


class Finished(Value):
    """A fit job's answer."""

    event: Literal["finished"] = "finished"
    job_id: str
    result: TrialResult


class Stopped(Value):
    """A fit job ended because it was told to stop."""

    event: Literal["stopped"] = "stopped"
    job_id: str


class Failed(Value):
    """A job's error."""

    event: Literal["failed"] = "failed"
    job_id: str
    failure: Failure


class Lost(Value):
    """The worker that held the job died."""

    event: Literal["lost"] = "lost"
    job_id: str
    message: str


WorkerEvent = Annotated[Began | Reported | Described | Finished | Stopped | Failed | Lost, Field(discriminator="event")]


def trial_name(family: str, number: int) -> str:
    """Return the name under which people see a trial: ``lightgbm#0017``."""
    return f"{family}#{number:04d}"


def jsonable(value: Any) -> Any:
    """Return ``value`` as plain JSON types: values are dumped, paths become text."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return str(value) if isinstance(value, Path) else value
