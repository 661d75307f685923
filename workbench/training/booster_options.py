"""What a user's boosted estimator may say about its rounds, when the training watches them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.errors import FactoryError
from workbench.types import TrainingSettings


def upper_limit(given: Any, default: Any, settings: TrainingSettings) -> int:
    """Return the most rounds: the experiment's, or fewer where the factory chose fewer; where nobody watches, all.

    A value equal to the library's ``default`` cannot be told from none.
    """
    chosen = settings.stopping != "none" and given is not None and given != default
    return min(int(given), settings.rounds) if chosen else settings.rounds


def refuse(estimator: Any, options: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise `FactoryError` for options that would end or count the rounds beside the training."""
    found = sorted(name for name in names if options.get(name) is not None)
    if found:
        raise FactoryError(
            f"{type(estimator).__name__}({', '.join(f'{name}={options[name]!r}' for name in found)}): rounds and early "
            "stopping are the training's; set training.rounds and training.rounds_patience, or n_estimators as an "
            "upper limit"
        )


def refuse_dart(estimator: Any, options: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise `FactoryError` for dropout of trees: later rounds change the weights of earlier ones.

    The first rounds of a finished booster are then not the model that was watched at the best round.
    """
    for name in names:
        if options.get(name) == "dart":
            raise FactoryError(
                f"{type(estimator).__name__}({name}='dart'): later rounds change the trees of earlier ones, so the "
                "best round cannot be restored; use 'gbdt' (LightGBM) or 'gbtree' (XGBoost)"
            )
