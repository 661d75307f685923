"""Which path trains a model: told by the model's own type."""

from __future__ import annotations

import sys
from typing import Any

from workbench.errors import FactoryError
from workbench.training.build import Built, Rebuild
from workbench.training.checkpoints import Checkpoints
from workbench.training.fitted import Fitter
from workbench.training.keras_architecture import recall
from workbench.training.material import Material


def known_or_built(material: Material, rebuild: Rebuild, checkpoints: Checkpoints) -> tuple[Built, Fitter]:
    """Return a job's model, as an earlier trial has left it or built under the first split's seed, and its fitter."""
    known = recall(material)
    if known is None:
        built = rebuild(material.seed(0, "fit"))
        return built, fitter_for(built, material, rebuild=rebuild, checkpoints=checkpoints)
    from workbench.training.keras_path import KerasFitter

    return known.built, KerasFitter(known.built, material, rebuild, checkpoints, known)


def fitter_for(built: Built, material: Material, *, rebuild: Rebuild, checkpoints: Checkpoints) -> Fitter:
    """Return the fitter of a built model.

    Args:
        built: the model under the first split's seed.
        material: what it is fitted on.
        rebuild: builds the same configuration under another seed.
        checkpoints: where epochs are kept, for models whose splits train long.
    """
    problem, settings = material.problem, material.settings
    if built.neural and built.own_fit is not None:
        from workbench.training.own_fit import OwnFitFitter

        return OwnFitFitter(built, material, rebuild)
    if built.neural:
        from workbench.training.keras_path import KerasFitter

        return KerasFitter(built, material, rebuild, checkpoints)
    if _is_a(built.model, "lightgbm", "LGBMModel"):
        from workbench.training.lightgbm_path import LightGBMFitter

        return LightGBMFitter(built, problem, settings)
    if _is_a(built.model, "xgboost", "XGBModel"):
        from workbench.training.xgboost_path import XGBoostFitter

        return XGBoostFitter(built, problem, settings)
    if _is_a(built.model, "catboost", "CatBoost"):
        from workbench.training.catboost_path import CatBoostFitter

        return CatBoostFitter(built, problem, settings)
    if not hasattr(built.model, "get_params"):
        raise FactoryError(
            f"{type(built.model).__name__} has no get_params; expected a scikit-learn estimator (a class that derives "
            "from sklearn.base.BaseEstimator)"
        )
    from workbench.training.estimator_path import EstimatorFitter

    return EstimatorFitter(built, problem, settings)


def _is_a(model: Any, module: str, name: str) -> bool:
    """Say whether a model is of a library's class, without importing the library for those that are not."""
    library = sys.modules.get(module)
    return library is not None and isinstance(model, getattr(library, name))
