"""A split's bundle: everything that predicts from conformed rows again, in files without pickle.

``bundle.json`` (family, values, problem, kind of model), ``preparation.json``, ``target.json``, ``schema.json``, and
the model in its library's own format: ``weights.npz``, ``model.txt``, ``model.ubj``, ``model.cbm``, ``forest.npz`` or
``model.skops``. With a feature set ``features.json`` and the folder ``features/``
(`workbench.training.frozen_features`) as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench import registry
from workbench.data.target import TargetTransform
from workbench.errors import StoreError
from workbench.models.problem import Problem
from workbench.training.build import Built
from workbench.training.fitted import FoldModel
from workbench.training.material import Material, Split
from workbench.training.outputs import in_units
from workbench.training.user_modules import known_modules
from workbench.types import FamilyRef, FeaturesRef, Schema

if TYPE_CHECKING:
    from workbench.training.frozen_features import FrozenFeatures

VERSION = 1
FILES = ("bundle.json", "preparation.json", "target.json", "schema.json")


@dataclass(frozen=True)
class Predictor:
    """A loaded bundle."""

    preparation: Any
    target: TargetTransform
    problem: Problem
    model: FoldModel
    features: FrozenFeatures | None = None
    """The feature set; ``None`` where the preparation takes the table as it is."""

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return predictions ``(rows, outputs)`` in original units.

        Takes rows that `workbench.data.conform` conformed; with a feature set rows as `workbench.data.raw_columns`
        gives them to feature sets.
        """
        rows = frame if self.features is None else self.features.transform(frame)
        raw = self.model.predict(self.preparation.transform(rows))
        return in_units(raw, len(frame), self.target, self.problem)


def save_bundle(folder: Path, material: Material, built: Built, split: Split, model: FoldModel) -> None:
    """Write one split's bundle into a new folder."""
    folder.mkdir(parents=True)
    model.save(folder)
    job = material.job
    _write(
        folder / "bundle.json",
        {
            "version": VERSION,
            "kind": model.kind,
            "family": job.family.model_dump(mode="json"),
            "modules": _modules(folder, model),
            "values": built.values,
            "seed": material.seed(0, "fit"),
            "problem": material.problem.to_json(),
            "backend": job.settings.backend,
            "dtype_policy": job.settings.dtype_policy,
            "split": split.index,
        },
    )
    _write(folder / "preparation.json", split.prepared.preparation.state())
    _write(folder / "target.json", split.target.state())
    _write(folder / "schema.json", material.schema.model_dump(mode="json"))
    if material.features is not None:
        from workbench.training.frozen_features import save_features

        save_features(folder, material.features.derivation, material.dataset.schema, split.prepared.transformers)


def load_predictor(folder: Path, code_root: Path | None = None, features_root: Path | None = None) -> Predictor:
    """Load a bundle.

    Args:
        folder: what `save_bundle` wrote.
        code_root: folder of the user's factory if it is no longer where it was trained.
        features_root: the same for the feature set.

    Raises:
        StoreError: a file is absent or damaged, the bundle is of a newer version, or does not fit the factory.
    """
    bundle, preparation, target, schema = (_read(folder / name) for name in FILES)
    if bundle["version"] > VERSION:
        raise StoreError(f"{folder} has version {bundle['version']}, this program knows up to {VERSION}: update it")
    family = FamilyRef.model_validate(bundle["family"])
    if code_root is not None and family.root is not None:
        family = family.model_copy(update={"root": code_root})
    ref = family.features
    if features_root is not None and ref is not None:
        ref = ref.model_copy(update={"root": features_root})
    problem = Problem.from_json(bundle["problem"])
    return Predictor(
        registry.resolve("preparations", family.preparation).from_state(Schema.model_validate(schema), preparation),
        TargetTransform.from_state(target),
        problem,
        _load_model(folder, bundle, family, problem),
        None if ref is None else _load_features(folder, ref),
    )


def _load_features(folder: Path, ref: FeaturesRef) -> FrozenFeatures:
    from workbench.training.frozen_features import load_features

    return load_features(folder, ref)


def _load_model(folder: Path, bundle: dict[str, Any], family: FamilyRef, problem: Problem) -> FoldModel:
    kind = bundle["kind"]
    if kind == "keras":
        from workbench.training.keras_loading import load_keras

        return load_keras(folder, family, problem, bundle)
    if kind == "lightgbm":
        from workbench.training.lightgbm_path import load_lightgbm

        return load_lightgbm(folder)
    if kind == "xgboost":
        from workbench.training.xgboost_path import load_xgboost

        return load_xgboost(folder, problem.schema)
    if kind == "catboost":
        from workbench.training.catboost_path import load_catboost

        return load_catboost(folder, problem)
    if kind == "forest":
        from workbench.training.forest_path import load_forest

        return load_forest(folder)
    if kind == "skops":
        from workbench.training.estimator_path import load_estimator

        stored = bundle["modules"] if "modules" in bundle else [bundle["module"].partition(".")[0]]
        return load_estimator(folder, problem, known_modules(stored, family))
    raise StoreError(f"{folder / 'bundle.json'}: unknown kind of model '{kind}'")


def _modules(folder: Path, model: FoldModel) -> tuple[str, ...]:
    """Name the modules of a user's own classes: they may lie anywhere in the estimator, as in a pipeline's steps."""
    if model.kind != "skops":
        return ()
    from workbench.training.estimator_path import foreign_packages

    return foreign_packages(folder)


def _write(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1) + "\n", "utf-8")


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
