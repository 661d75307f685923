from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import TrialFailed, TrialStopped
from workbench.metrics import AUC, RMSE
from workbench.training.watcher import Watcher

Y = np.zeros(1)


def watcher(patience: int = 3) -> Watcher:
    return Watcher(RMSE, Y, None, patience=patience, tell=lambda *_: False)


@given(values=st.lists(st.integers(0, 1000).map(float), min_size=1, max_size=40), patience=st.integers(1, 8))
def test_the_best_epoch_is_the_first_minimum_before_patience_ran_out(values: list[float], patience: int) -> None:
    watching = watcher(patience)
    for value in values:
        watching.judge(np.array([[value]]))
        if watching.done:
            break
    seen = values[: watching.epoch]
    assert watching.best_epoch == 1 + int(np.argmin(seen))
    assert watching.best_value == min(seen)
    assert watching.epoch == len(values) or watching.epoch - watching.best_epoch == patience


@pytest.mark.parametrize(("prediction", "loss"), [(np.nan, 0.1), (np.inf, 0.1), (0.5, float("nan"))])
def test_what_is_not_finite_ends_the_trial(prediction: float, loss: float) -> None:
    watching = watcher()
    watching.judge(np.array([[0.5]]), 1.0)
    with pytest.raises(TrialFailed, match="not finite after epoch 2") as caught:
        watching.judge(np.array([[prediction]]), loss)
    assert caught.value.code == "nonfinite"


def test_an_undefined_metric_is_not_reported_and_ends_the_trial() -> None:
    told: list[int] = []
    watching = Watcher(AUC, np.ones(2), None, patience=2, tell=lambda epoch, *_: bool(told.append(epoch)))
    for _ in range(2):
        watching.judge(np.full((2, 1), 0.5))
    with pytest.raises(TrialFailed, match="metric 'auc' is undefined on the watched rows"):
        watching.check()
    with pytest.raises(TrialFailed, match="undefined") as caught:
        watching.judge(np.full((2, 1), 0.5))
    assert (watching.epoch, told, caught.value.code) == (3, [], "nonfinite")


def test_a_model_without_epochs_is_not_checked() -> None:
    watcher().check()


def test_a_stop_is_passed_on() -> None:
    watching = Watcher(RMSE, Y, None, patience=2, tell=lambda epoch, *_: epoch == 2)
    watching.judge(np.zeros((1, 1)))
    with pytest.raises(TrialStopped, match="after epoch 2"):
        watching.judge(np.zeros((1, 1)))


def test_an_epoch_behind_the_moment_is_the_last_one() -> None:
    watching = Watcher(RMSE, Y, None, patience=3, tell=lambda *_: False, until=time.monotonic() - 1.0)
    assert not watching.done
    watching.judge(np.array([[0.5]]))
    assert watching.done
    assert watching.truncated


def test_patience_that_ran_out_is_no_early_end() -> None:
    watching = Watcher(RMSE, Y, None, patience=1, tell=lambda *_: False, until=time.monotonic() + 0.05)
    watching.judge(np.array([[0.5]]))
    watching.judge(np.array([[0.6]]))
    time.sleep(0.1)
    assert watching.done
    assert not watching.truncated
