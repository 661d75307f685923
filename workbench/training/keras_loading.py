"""Keras bundles: the model is built again through its factory, then gets its stored weights."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.models.hyperparameters import HyperParameters
from workbench.models.problem import Problem
from workbench.training.build import build
from workbench.training.cache import LruCache
from workbench.training.fitted import FoldModel
from workbench.types import DtypePolicy, FamilyRef, Values


@dataclass(frozen=True)
class _Program:
    model: Any
    predictor: Any


_programs: LruCache[_Program] = LruCache(limit=32, size=lambda _: 1)
"""The splits of one configuration, and its next loading, share what was compiled."""


def forget() -> None:
    """Let go of the programs that are kept between loadings."""
    _programs.clear()


def load_keras(folder: Path, family: FamilyRef, problem: Problem, bundle: Mapping[str, Any]) -> FoldModel:
    """Load one split's weights.

    The model is built under the seed and the dtype policy of the training: constants that a factory draws are no
    weights, yet of the model, and predictions are to be those that were scored. A process that has not imported Keras
    yet takes the backend of the training; weights fit either.

    Args:
        folder: of the bundle.
        family: names the factory.
        problem: what the factory is told.
        bundle: what the bundle says of itself; older ones know no seed, and no policy but float32.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", bundle["backend"])
    from workbench.training.keras_path import KerasFoldModel, load_weights
    from workbench.training.keras_state import weights_from

    values, seed, policy = bundle["values"], bundle.get("seed", 0), bundle.get("dtype_policy", "float32")
    key = (family.model_dump_json(), json.dumps(values, sort_keys=True), json.dumps(problem.to_json()), seed, policy)
    shared = _programs.get(key, lambda: _build(family, problem, values, seed, policy))
    weights = weights_from(shared.model, load_weights(folder / "weights.npz"))
    return KerasFoldModel(shared.model, shared.predictor, weights)


def _build(family: FamilyRef, problem: Problem, values: Values, seed: int, policy: DtypePolicy) -> _Program:
    from workbench.training.keras_feed import feed
    from workbench.training.keras_program import make_predictor
    from workbench.training.keras_state import prepare
    from workbench.training.keras_targets import targets

    model = build(family, problem, HyperParameters.exactly(values), seed, policy).model
    row = _one_row(problem)
    prepare(model, (feed(model, row), targets(np.zeros(1), problem, model)))
    return _Program(model, make_predictor(model))


def _one_row(problem: Problem) -> Prepared:
    numeric: NDArray[np.float64] = np.zeros((1, len(problem.schema.numeric)))
    return Prepared(numeric, np.zeros((1, len(problem.schema.categorical)), dtype=np.int32))
