"""``experiment.yaml`` as validated, frozen models. Every key has a default but data.train, data.target and metric."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from workbench.durations import parse_duration
from workbench.errors import ConfigError
from workbench.types import (
    BASE_FAMILY,
    Backend,
    ColumnKind,
    Direction,
    DtypePolicy,
    Fuse,
    Needs,
    Scalar,
    Stopping,
    Task,
)


def _not_boolean(value: object) -> object:
    """Refuse ``trials: true``, which would pass for 1."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "Input should be a number")
    return value


_NoBoolean = BeforeValidator(_not_boolean)


def _in_seconds(value: object) -> object:
    """Let ``5m`` stand for 300, as with ``--time``."""
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except ConfigError as error:
        raise ValueError(str(error)) from error


def _listed(value: object) -> object:
    """Let one path stand for a list of one."""
    return (value,) if isinstance(value, (str, Path)) else value


Positive = Annotated[int, Field(gt=0), _NoBoolean]
DEFAULT_FAMILIES = ("dummy", "linear", "lightgbm", "xgboost", "mlp")
"""Cheap ones first, so that something is delivered whatever the budget."""

NO_FEATURES = "none"
"""In the place of a feature set: the table as it is."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]
FamilyEntry = Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_.]*:)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]
Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_in_seconds, json_schema_input_type=Annotated[float, Field(gt=0)] | str),
    _NoBoolean,
]


class Config(BaseModel):
    """Base of the configuration's sections."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(Config):
    """Where the tables are and what their columns mean. Paths are relative to the experiment's folder."""

    train: Path = Field(description="Training table: .csv, .csv.gz, .tsv or .parquet.")
    target: str = Field(description="Column to predict.")
    test: Path | None = Field(None, description="Table to predict; its columns are those of the training table.")
    sample_submission: Path | None = Field(None, description="A submission whose columns and row order are copied.")
    id: str | None = Field(None, description="Column that identifies a row; without it the row's position does.")
    group: str | None = Field(None, description="Column whose equal values must never be split between folds.")
    weight: str | None = Field(None, description="Column with a weight for each training row.")
    time: str | None = Field(None, description="Column that orders the rows; validation is later than training.")
    extra: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = Field(
        (), description="Tables of further rows that are trained on and never validated."
    )
    extra_weight: Annotated[float, Field(gt=0, allow_inf_nan=False), _NoBoolean] = Field(
        1.0, description="Weight of an extra row, where a row of the training table has 1."
    )
    encoding: str = Field("utf-8", description="Encoding of the text tables, such as cp1252.")
    drop: tuple[str, ...] = Field((), description="Columns that models must not see.")
    columns: dict[str, ColumnKind] = Field({}, description="Corrections to the inferred kinds of columns.")
    positive: Scalar | None = Field(None, description="The positive class of a binary task; the larger one if absent.")


class MetricConfig(Config):
    """A user's own metric: ``function(y, prediction)`` of a file beside ``experiment.yaml``."""

    function: str = Field(description="'module:attribute', such as 'metrics:profit'.")
    direction: Direction = Field(description="Whether less or more is better.")
    needs: Needs = Field("probabilities", description="What the function is given as its prediction.")
    name: Name | None = Field(None, description="Name in tables and in MLflow; the attribute's name if absent.")
    monitor: str | None = Field(None, description="Built-in metric that early stopping watches instead.")


class FoldsConfig(Config):
    """How rows are split for validation. The plan is made once and shared by every model."""

    kind: Literal["auto", "kfold", "stratified", "group", "time", "column", "function", "file"] = Field(
        "auto",
        description="auto: what another key of this section asks for; time with data.time, group with data.group, "
        "stratified for classes, else kfold.",
    )
    splits: Annotated[int, Field(ge=2, le=100), _NoBoolean] = Field(
        5, description="Parts that the rows are split into."
    )
    repeats: Annotated[int, Field(ge=1, le=100), _NoBoolean] = Field(
        1, description="So many different plans, one after the other, to tell close models apart."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31), _NoBoolean] | None = Field(
        None,
        description="Seed of the shuffling alone; that of the experiment if absent. A team sets it, so that "
        "everybody's folds are the same whatever their own seeds are.",
    )
    gap: Annotated[int, Field(ge=0), _NoBoolean] = Field(
        0, description="Rows left out between training and validation of a time plan."
    )
    column: str | None = Field(
        None, description="Column of the training table with each row's fold; -1 or empty is only trained on."
    )
    function: str | None = Field(
        None, description="'module:attribute' of a function(frame, y) that yields (train, validate) row positions."
    )
    file: Path | None = Field(None, description="Table with the fold of each row, in the order of the rows or by id.")


def _share(value: object) -> object:
    """Let ``holdout: 0.2`` stand for a mapping of its share alone."""
    plain = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"share": value} if plain else value


class HoldoutConfig(Config):
    """Rows of the training table that no fold, search, feature set, early stopping or blend sees."""

    share: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), _NoBoolean] = Field(
        0.0, description="Share of the training table's rows that is set aside; 0 for none."
    )
    by: Literal["auto", "random", "time", "group"] = Field(
        "auto",
        description="Which ones. auto: the latest with data.time, whole groups with data.group, else drawn at random, "
        "as many of each class.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31), _NoBoolean] = Field(
        0, description="Draws the rows; the experiment's own seed does not, so that another one keeps them."
    )


class RangeConfig(Config):
    """Another range for a parameter than the factory's; what is absent stays."""

    min: float | None = Field(None, description="Smallest value.")
    max: float | None = Field(None, description="Largest value.")
    step: Annotated[float, Field(gt=0)] | None = Field(None, description="Distance between values.")
    choices: tuple[Scalar, ...] | None = Field(None, min_length=1, description="Values of a choice.")
    default: Scalar | None = Field(None, description="The first trial's value.")


class FamilyConfig(Config):
    """A family of the experiment's own, or a built-in with other settings."""

    name: Name = Field(description="A built-in's name, or a name for the factory.")
    factory: str | None = Field(
        None, description="'module:attribute' of build(hp, problem), or a built-in's name; absent for a built-in."
    )
    features: str | None = Field(
        None, description="Feature set: a name of features.py, or 'module:attribute'; 'none' takes the table as it is."
    )
    preparation: str | None = Field(None, description="How columns become numbers; the family's own if absent.")
    trials: Positive | None = Field(None, description="This family's own budget instead of search.trials.")
    device_hours: Annotated[float, Field(gt=0, allow_inf_nan=False), _NoBoolean] | None = Field(
        None, description="This family's own hours instead of its part of search.device_hours."
    )
    enqueue: tuple[dict[str, Scalar], ...] = Field(
        (), description="Values to try first; parameters that are missing take their default."
    )
    space: dict[str, RangeConfig] = Field({}, description="Other ranges for parameters that the factory declares.")

    @property
    def label(self) -> str:
        """The name that people see: ``lightgbm+v2`` is lightgbm on the feature set v2."""
        return self.name if self.features is None else f"{self.name}+{self.features.rpartition(':')[2]}"

    @property
    def reference(self) -> str | None:
        """``module:attribute`` of the user's factory; ``None`` for a built-in."""
        return self.factory if self.factory is not None and ":" in self.factory else None

    @property
    def built_in(self) -> str:
        """The built-in's name, where there is no factory of the user's."""
        return self.factory or self.name


class ScreenConfig(Config):
    """Cheap partial trials first; the best of them are promoted to whole ones."""

    splits: tuple[Annotated[int, Field(ge=0), _NoBoolean], ...] = Field(
        (0,), min_length=1, description="Splits that are evaluated, from 0."
    )
    rows: Annotated[float, Field(gt=0, le=1), _NoBoolean] = Field(1.0, description="Share of their training rows.")
    epochs: Positive | None = Field(None, description="At most so many epochs, or rounds of a boosted model.")
    promote: Positive = Field(
        3,
        description="So many of the best are evaluated whole: when all are screened, or half of the time is over.",
    )

    @model_validator(mode="after")
    def _distinct_splits(self) -> ScreenConfig:
        if len(set(self.splits)) < len(self.splits):
            raise ValueError(f"splits are {list(self.splits)}: each is evaluated once")
        return self


class PrunerConfig(BaseModel):
    """A pruner with options of its own, under the names that Optuna's pruner has for them."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(
        description="none, median, percentile, successive_halving, hyperband, patient, threshold, wilcoxon."
    )

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


class WarmStartConfig(Config):
    """Configurations of trials that there are already, which the search tries first."""

    experiment: str | None = Field(
        None, description="Name of another experiment of the same ledger; this one if absent."
    )
    sweep: Positive | None = Field(None, description="Only trials of this sweep.")
    best: Positive = Field(3, description="So many of each family's best.")


class SearchConfig(Config):
    """How configurations are chosen, and how many."""

    engine: str = Field("optuna", description="What chooses the next values: optuna, keras_tuner or random.")
    sampler: str = Field(
        "auto",
        description="How: auto, tpe, gp, cmaes, qmc, random, grid or nsga2 with optuna (auto: tpe, nsga2 for several "
        "objectives); bayesian, random, hyperband or grid with keras_tuner (auto: bayesian).",
    )
    objectives: tuple[Literal["score", "fit_s", "predict_s", "weights"], ...] = Field(
        ("score",),
        min_length=1,
        description="What is searched for. Several go with the engines random and optuna, but not with its samplers gp "
        "and cmaes. Nothing is pruned unless it is the score alone.",
    )
    pruner: str | PrunerConfig = Field(
        "wilcoxon",
        description="What ends hopeless trials early: none, median, percentile, successive_halving, hyperband, "
        "patient, threshold, wilcoxon; a mapping gives it options.",
    )
    screen: ScreenConfig | None = Field(None, description="Cheap partial trials first.")
    warm_start: tuple[WarmStartConfig, ...] = Field((), description="Tried first: the best of what there is already.")
    trials: Positive = Field(20, description="Trials of each family in all; a second run of a finished one adds none.")
    trials_in_all: Positive | None = Field(
        None, description="Trials of all families together, split evenly, instead of trials of each."
    )
    time: Duration | None = Field(None, description="Time for one run, delivery included: seconds, or 5m, 1h30m.")
    device_hours: Annotated[float, Field(gt=0, allow_inf_nan=False), _NoBoolean] | None = Field(
        None, description="Hours of GPU (without one, of workers) for all families in all, split evenly."
    )
    trial_time: Duration | None = Field(
        None,
        description="A trial that takes longer has hung, and fails. If absent: 20 times the longest of its family, at "
        "least 10 minutes, once 3 are complete.",
    )
    startup: Positive = Field(8, description="Random trials before the sampler models the scores.")
    listen: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), _NoBoolean] = Field(
        0.0,
        description="Share of the trials (and of the time) that goes last, to families by what they add to the blend; "
        "those with trials of their own have no part in it.",
    )

    @model_validator(mode="after")
    def _listens_to_whole_trials(self) -> SearchConfig:
        if self.listen and self.screen is not None:
            raise ValueError(
                "listen and screen are both given: what a family adds to the blend is known of whole trials alone, and "
                "with screen there are none before the end; leave one of them out"
            )
        return self

    @field_validator("objectives")
    @classmethod
    def _distinct_objectives(cls, objectives: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(objectives)) < len(objectives):
            raise ValueError(f"an objective is there twice: {', '.join(objectives)}")
        return objectives


class TrainingConfig(Config):
    """How one configuration is trained."""

    backend: Backend = Field("jax", description="Keras backend of the workers.")
    epochs: Positive = Field(100, description="At most so many epochs of a Keras model.")
    patience: Positive = Field(10, description="Epochs without improvement before a split ends.")
    batch_size: Positive = Field(128, description="Rows in a step, unless a Recipe says otherwise.")
    rounds: Positive = Field(1000, description="At most so many rounds of a boosted model.")
    rounds_patience: Positive = Field(50, description="Rounds without improvement before boosting ends.")
    stopping: Stopping = Field(
        "fold", description="Early stopping looks at the validation fold, or at an inner part of the training fold."
    )
    executor: str = Field("local", description="'local': worker processes; 'inline': this process, for debugging.")
    workers: Literal["auto"] | Positive = Field(
        "auto", description="Worker processes; auto: one for each core, or workers_per_gpu for each GPU."
    )
    workers_per_gpu: Positive = Field(1, description="Workers that share a GPU, each with its part of the memory.")
    worker_memory: Positive | None = Field(
        None, description="MB of memory that a worker may hold; its share of nine tenths of the machine's if absent."
    )
    checkpoint: Duration | None = Field(
        60.0, description="Time between checkpoints within a split; null writes none, and begins a trial anew."
    )
    fuse: Fuse = Field(
        "auto",
        description="How all splits of a Keras model train as one program on JAX; auto: vmap on a GPU; on several "
        "cores shard or map, as a short measurement finds; on one core map, or off where a pruner may end the trial "
        "between two splits; off: one after another.",
    )
    dtype_policy: DtypePolicy = Field("float32", description="Keras' dtype policy: mixed ones compute in 16 bits.")
    jit_compile: bool | None = Field(
        None, description="Compile by XLA on TensorFlow; null leaves it to the factory. JAX always compiles."
    )
    deterministic: bool = Field(
        False, description="Only operations that give the same bits each time, slower on a GPU; nothing is measured."
    )
    halve_batch_on_oom: bool = Field(
        False, description="Try a Keras model that ran out of memory once more, at half the batch size."
    )

    @model_validator(mode="after")
    def _either_exact_or_compiled(self) -> TrainingConfig:
        if self.deterministic and self.jit_compile and self.backend == "tensorflow":
            raise ValueError(
                "deterministic and jit_compile are both true: Keras compiles nothing by XLA where TensorFlow is to be "
                "deterministic; leave one of them out"
            )
        return self


class MethodConfig(BaseModel):
    """An ensemble method with options of its own."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="The method's name.")

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


class FinalConfig(Config):
    """Refits of a blend's members on all rows, for the median of the best epochs times k/(k-1)."""

    seeds: Positive = Field(2, description="So many models of each member, whose predictions are averaged.")


class EnsembleConfig(Config):
    """How the best trials are blended."""

    method: str | MethodConfig = Field(
        "auto",
        description="How the weights are found: mean, geometric_mean, rank_average, convex, greedy, hill_climbing, "
        "nelder_mead or stacking; auto takes the simplest that is as good as the best by its nested score. A mapping "
        "gives a method options.",
    )
    members: Literal["best", "all", "forward", "uncorrelated"] = Field(
        "best",
        description="best: the best per_family of each family; all: every complete trial; forward: of the best, those "
        "that improve the mean; uncorrelated: of the best, none that says what a better one says.",
    )
    per_family: Positive = Field(2, description="So many of each family's best trials are candidates.")
    correlated: Annotated[float, Field(gt=0, le=1), _NoBoolean] = Field(
        0.995, description="With members: uncorrelated, no two members whose predictions correlate so much."
    )
    per_class: bool = Field(False, description="Weights of each class' own, where the method has them (convex).")
    calibration: Literal["none", "temperature", "isotonic"] = Field(
        "none", description="Probabilities made to mean what they say, after the blend."
    )
    decision: Literal["auto", "none"] = Field(
        "auto",
        description="auto: thresholds, cut-points or the range of values, as the metric asks for, fitted after the "
        "blend; none: above one half, or the largest.",
    )
    bagging: Literal["none", "seeds", "rows", "folds"] = Field(
        "none", description="The mean of fits with several seeds, on samples of rows, or on all folds but one each."
    )
    bags: Positive = Field(10, description="So many fits, with bagging by seeds or rows.")
    final: FinalConfig | None = Field(
        None,
        description="Members are fitted once more on all rows (but those of the holdout), and these models are "
        "delivered; weights stay those of the out-of-fold predictions. They have no out-of-fold score of their own.",
    )

    @property
    def method_name(self) -> str:
        """The method's name."""
        return self.method if isinstance(self.method, str) else self.method.name

    @property
    def method_options(self) -> dict[str, Any]:
        """The method's own options."""
        return {} if isinstance(self.method, str) else self.method.options


class TrackingConfig(Config):
    """Where runs are logged. MLFLOW_TRACKING_URI wins over the default, this key over both."""

    uri: str | None = Field(None, description="MLflow tracking URI; the default is a SQLite file in the store.")
    tensorboard: bool = Field(True, description="Write scalars and HParams for TensorBoard.")


class ExperimentConfig(Config):
    """One competition."""

    version: Literal[1] = Field(1, description="Version of this file's format.")
    name: Name | None = Field(None, description="Name in MLflow; the folder's name if absent.")
    data: DataConfig = Field(description="The tables, and what their columns mean.")
    metric: str | MetricConfig = Field(description="A built-in metric's name, or a function of your own.")
    task: Task | None = Field(None, description="Inferred from the target if absent.")
    folds: FoldsConfig = FoldsConfig()
    holdout: Annotated[
        HoldoutConfig,
        BeforeValidator(_share, json_schema_input_type=Annotated[float, Field(ge=0, lt=1)] | HoldoutConfig),
    ] = Field(
        HoldoutConfig(),
        description="Rows set aside, on which the blend is scored when all is done; a number is their share.",
    )
    families: tuple[FamilyEntry | FamilyConfig, ...] = Field(
        DEFAULT_FAMILIES,
        min_length=1,
        description="Built-in names, 'factories:my_model', or mappings.",
    )
    features: str | None = Field(
        None, description="Feature set of every family that names none of its own; dummy has none."
    )
    search: SearchConfig = SearchConfig()
    training: TrainingConfig = TrainingConfig()
    ensemble: EnsembleConfig = EnsembleConfig()
    tracking: TrackingConfig = TrackingConfig()
    store: Path = Field(Path(".workbench"), description="Folder for everything that sweeps leave behind.")
    ledger: str | None = Field(None, description="SQLAlchemy URL of the ledger; a SQLite file in the store if absent.")
    seed: Annotated[int, Field(ge=0, lt=2**31), _NoBoolean] = Field(
        0, description="The same seed gives the same trials, with one worker."
    )

    @model_validator(mode="after")
    def _distinct_families(self) -> ExperimentConfig:
        names = [family.label for family in self.family_configs]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two families are called '{name}'; give one of them another name")
        return self

    @property
    def family_configs(self) -> tuple[FamilyConfig, ...]:
        """The families, each as a mapping with its feature set: ``factories:my_model`` is named ``my_model``."""
        return tuple(self.family_config(entry) for entry in self.families)

    def family_config(self, entry: str | FamilyConfig) -> FamilyConfig:
        """Return an entry of `families` as a mapping, with the experiment's feature set if it names none."""
        family = _family(entry)
        features = self.features if family.features is None and family.name != BASE_FAMILY else family.features
        return family.model_copy(update={"features": None if features == NO_FEATURES else features})


def _family(entry: str | FamilyConfig) -> FamilyConfig:
    if isinstance(entry, FamilyConfig):
        return entry
    if ":" in entry:
        return FamilyConfig(name=entry.rpartition(":")[2], factory=entry)
    return FamilyConfig(name=entry)
