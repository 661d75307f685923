"""What people call things elsewhere, so that a message can say what they are called here.

It only helps messages and `workbench init`: a thing has one name in configurations, ledgers and MLflow.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from workbench.errors import nearest

METRICS = {
    "roc_auc": "auc",
    "auroc": "auc",
    "area_under_roc": "auc",
    "logloss": "log_loss",
    "mlogloss": "log_loss",
    "cross_entropy": "log_loss",
    "binary_crossentropy": "log_loss",
    "categorical_crossentropy": "log_loss",
    "acc": "accuracy",
    "f1_binary": "f1",
    "macro_f1": "f1_macro",
    "ap": "average_precision",
    "aucpr": "average_precision",
    "pr_auc": "average_precision",
    "auprc": "average_precision",
    "matthews": "mcc",
    "matthews_corrcoef": "mcc",
    "kappa": "qwk",
    "cohen_kappa": "qwk",
    "quadratic_kappa": "qwk",
    "quadratic_weighted_kappa": "qwk",
    "map": "map_at_3",
    "mapk": "map_at_3",
    "mean_average_precision": "map_at_3",
    "mse": "rmse",
    "mean_squared_error": "rmse",
    "root_mean_squared_error": "rmse",
    "msle": "rmsle",
    "mean_squared_log_error": "rmsle",
    "root_mean_squared_log_error": "rmsle",
    "l1": "mae",
    "l2": "rmse",
    "mean_absolute_error": "mae",
    "median_absolute_error": "medae",
    "mean_absolute_percentage_error": "mape",
    "rsquared": "r2",
    "r_squared": "r2",
    "quantile": "pinball_0.5",
    "quantile_loss": "pinball_0.5",
    "mean_pinball_loss": "pinball_0.5",
}
"""Names of scikit-learn, Keras, the boosters and competitions, in lower case without ``neg_`` and ``_score``."""


def called_here(name: str, known: Collection[str]) -> str | None:
    """Return which of ``known`` a name means, whatever its case, punctuation and origin; ``None`` if none is certain.

    ``known`` may hold patterns such as ``map_at_<K>``.
    """
    plain = re.sub(r"[^a-z0-9.]+", "_", name.casefold().replace("@", "_at_")).removeprefix("neg_")
    for attempt in (plain, plain.removesuffix("_score"), plain.removesuffix("_loss")):
        found = METRICS.get(attempt, attempt)
        if found in known or any("<" in entry and found.startswith(entry.partition("<")[0]) for entry in known):
            return found
    return None


def suggestion(name: str, known: Collection[str]) -> str:
    """Return `` Did you mean 'x'?`` for a name that is not known: by what it is called elsewhere, else the closest."""
    found = called_here(name, known)
    return nearest(name, known) if found is None else f" Did you mean '{found}'?"
