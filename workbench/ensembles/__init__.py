"""Ensembles of out-of-fold predictions. They know neither search nor models.

On NumPy arrays alone, in scikit-learn's manner::

    from workbench.ensembles import BlendClassifier

    blend = BlendClassifier(metric="auc").fit({"lgbm": oof_lgbm, "mlp": oof_mlp}, y, folds=folds)
    blend.weights_, blend.nested_, blend.in_sample_
    blend.predict_proba({"lgbm": test_lgbm, "mlp": test_mlp})
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.ensembles.estimators import BlendClassifier, BlendRegressor

__all__ = ["BlendClassifier", "BlendRegressor"]


def __getattr__(name: str) -> Any:
    """Import the estimators when they are asked for: scikit-learn takes a second."""
    if name in __all__:
        from workbench.ensembles import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
