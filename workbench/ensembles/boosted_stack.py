"""Boosted trees that correct the mean of the members."""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.blending.stacks import BoostedStack, stack_columns
from workbench.ensembles.linear_stack import stacking_space
from workbench.ensembles.members import Members
from workbench.metrics import Array
from workbench.seeds import derive_seed

ROUNDS = 200
PATIENCE = 10
THREADED = 50_000
"""Rows from which on several threads are worth their waiting for one another."""

PARAMETERS = {
    "learning_rate": 0.05,
    "num_leaves": 7,
    "min_data_in_leaf": 20,
    "lambda_l2": 10.0,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}
"""Few leaves and slow: what is left to learn over the mean is little, and mostly noise."""

FEWEST = 2 * 20
"""With fewer rows no tree splits: each leaf has ``min_data_in_leaf``."""


def boosted_stack(members: Members, *, features: bool, seed: int) -> BoostedStack:
    """Fit trees on all rows, for as many rounds as are best for the splits left out in turn (at least 1).

    Outside of some split that the metric can score there must be `FEWEST` rows.
    """
    import lightgbm

    space, y = stacking_space(members), members.y
    raw = members.features if features else None
    columns, mean = stack_columns(members.predictions, range(len(members)), space, raw)
    threads = 1 if len(members.row) < THREADED else 0
    parameters = {**PARAMETERS, **_objective(members), "num_threads": threads, "seed": derive_seed(seed, "stack")}
    data = lightgbm.Dataset(
        columns,
        np.log1p(np.maximum(y, 0.0)) if space == "log1p" else y,
        weight=members.mass * len(members.row),
        init_score=mean.ravel(order="F"),
        params=parameters,
        free_raw_data=False,
    )
    rounds = _rounds(members, data, parameters)
    booster = lightgbm.train(parameters, data, num_boost_round=rounds)
    used = booster.feature_importance("gain")[: len(members) * members.outputs].reshape(len(members), -1).sum(axis=1)
    return BoostedStack(
        model=booster.model_to_string(),
        inputs=tuple(range(len(members))),
        importances=tuple(used.tolist()),
        features=0 if raw is None else raw.shape[1],
        space=space,
    )


def _objective(members: Members) -> dict[str, Any]:
    if not members.classification:
        return {"objective": "regression"}
    if members.outputs == 1:
        return {"objective": "binary", "boost_from_average": False}
    return {"objective": "multiclass", "num_class": members.outputs}


def _rounds(members: Members, data: Any, parameters: dict[str, Any]) -> int:
    """Return how many rounds are best for splits that the trees have not seen."""
    import lightgbm

    parts = zip(members.slices, members.defined, strict=True)
    folds = [fold for fold in (_fold(members, part) for part, defined in parts if defined) if len(fold[0]) >= FEWEST]
    history = lightgbm.cv(
        parameters,
        data,
        num_boost_round=ROUNDS,
        folds=folds,
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    lengths = [len(values) for values in history.values() if isinstance(values, list)]
    return max(1, *lengths)


def _fold(members: Members, part: slice) -> tuple[Array, Array]:
    return np.flatnonzero(members.outside(part)), np.arange(part.start, part.stop)
