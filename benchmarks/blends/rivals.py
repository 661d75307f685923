"""What a user would pick instead, written as they would write it; what is not installed says so.

All of them get the workbench's own metric, as the mean over splits: the same objective, and several times as fast as
scikit-learn's of the same name. When time is up, what counts is the best that they have looked at.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np

from workbench.ensembles.members import Members
from workbench.metrics import Array


class OutOfTime(Exception):
    """Time is up."""


class Watched:
    """The loss of a blended prediction; it keeps the lowest, and ends everything when time is up.

    Attributes:
        best: The lowest loss so far.
        calls: So many predictions were scored.
        history: When each new lowest loss was found, in seconds from the start, with that loss.
    """

    def __init__(self, members: Members, limit: float) -> None:
        self._members, self._began = members, time.perf_counter()
        self._limit = limit
        self.best, self.calls = float("inf"), 0
        self.history: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began

    def __call__(self, prediction: Array) -> float:
        """Return the loss of ``prediction`` ``(rows, outputs)``."""
        members = self._members
        loss = members.metric.loss(members.score(prediction))
        now = self.seconds
        self.calls += 1
        if loss < self.best:
            self.best = loss
            self.history.append((now, loss))
        if now > self._limit:
            raise OutOfTime
        return loss

    def seconds_to(self, loss: float) -> float | None:
        """Return when a loss as low as this was found first."""
        return next((seconds for seconds, found in self.history if found <= loss), None)


Rival = Callable[[Members, Watched], object]


def scipy_nelder_mead(members: Members, watched: Watched, start: Array | None = None) -> Array:
    """Run plain ``scipy.optimize.minimize`` on softmax weights, as its defaults are; return the logits where it ends.

    It starts at equal weights, unless ``start`` gives logits ``(members,)``.
    """
    from scipy.optimize import minimize
    from scipy.special import softmax

    result = minimize(
        lambda logits: watched(members.blend(softmax(logits))),
        np.zeros(len(members)) if start is None else start,
        method="Nelder-Mead",
    )
    logits: Array = result.x
    return logits


def hillclimbers(members: Members, watched: Watched) -> None:
    """Run ``climb_hill`` of the package ``hillclimbers`` as its defaults are.

    It knows one column a member: predictions of several classes lie one after the other in it.
    """
    import pandas as pd
    from hillclimbers import climb_hill, partial  # type: ignore[import-not-found]  # installed by who wants to compare

    count, rows, outputs = members.predictions.shape
    names = [str(member) for member in range(count)]
    columns = pd.DataFrame(members.predictions.reshape(count, rows * outputs).T, columns=names)

    def metric(_: object, prediction: pd.Series[float]) -> float:
        return watched(prediction.to_numpy().reshape(rows, outputs))

    with contextlib.redirect_stdout(io.StringIO()):
        climb_hill(
            train=pd.DataFrame({"y": np.zeros(1)}),
            oof_pred_df=columns,
            test_pred_df=columns.iloc[:1],
            target="y",
            objective="minimize",
            eval_metric=partial(metric),
            plot_hill=False,
        )


def autogluon(members: Members, watched: Watched) -> None:
    """Run AutoGluon's greedy selection as its weighted ensembles do: 25 members with replacement."""
    from autogluon.core.models.greedy_ensemble import (  # type: ignore[import-not-found]
        ensemble_selection as selection,
    )

    class Selection(selection.EnsembleSelection):  # type: ignore[misc]
        def _calculate_regret(self, y_true: Array, y_pred_proba: Array, **_: object) -> float:  # noqa: ARG002
            return watched(y_pred_proba)

    metric = SimpleNamespace(needs_pred=False, needs_quantile=False)
    kind = "regression" if not members.classification else "binary" if members.outputs == 1 else "multiclass"
    Selection(ensemble_size=25, problem_type=kind, metric=metric).fit(list(members.predictions), members.y)


RIVALS: dict[str, tuple[str, Rival]] = {
    "scipy": ("scipy", scipy_nelder_mead),
    "hillclimbers": ("hillclimbers", hillclimbers),
    "autogluon": ("autogluon.core", autogluon),
}
"""By name: the package that must be there, and what runs it."""

TITLES = {"scipy": "SciPy Nelder-Mead", "hillclimbers": "hillclimbers", "autogluon": "AutoGluon greedy"}


def installed(rival: str) -> bool:
    """Say whether a rival's package can be imported."""
    try:
        return find_spec(RIVALS[rival][0]) is not None
    except ModuleNotFoundError:
        return False
