"""Calibrations lower the log loss of rows that they have not seen, and change nothing where nothing is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from workbench.blending.calibration import Calibration, Isotonic, Temperature
from workbench.ensembles.calibrating import fit_calibration
from workbench.ensembles.members import Candidate, Members
from workbench.errors import ConfigError
from workbench.metrics import LOG_LOSS, Array


def members_of(prediction: Array, y: Array, weight: Array | None = None) -> Members:
    rows = np.arange(len(y))
    only = Candidate("mlp", 0, "key", "plan", 0.5, 0.1)
    return Members((only,), prediction[None], y, weight, rows * 4 // len(y), rows, LOG_LOSS, "plan", True)


def drawn(classes: int, power: float, rows: int = 4000, seed: int = 0) -> tuple[Array, Array]:
    """Probabilities that are too sure by ``power``, and classes."""
    generator = np.random.default_rng(seed)
    logits = 1.5 * generator.normal(size=(rows, classes))
    true = softmax(logits, axis=1)
    y = (true.cumsum(axis=1) < generator.random(rows)[:, None]).sum(axis=1).clip(0, classes - 1)
    told = softmax(power * logits, axis=1)
    return (told if classes > 2 else told[:, 1:]), y


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("kind", ["temperature", "isotonic"])
def test_what_was_too_sure_is_mended_on_new_rows(kind: str, classes: int) -> None:
    p, y = drawn(classes, 3.0)
    found = fit_calibration(kind, members_of(p, y), p)
    assert found is not None
    if isinstance(found, Temperature):
        assert found.scale == pytest.approx(1 / 3.0, rel=0.08)
    new, truth = drawn(classes, 3.0, seed=1)
    mended, fair = found.apply(new), drawn(classes, 1.0, seed=1)[0]
    assert LOG_LOSS(truth, mended) < LOG_LOSS(truth, fair) + 0.03 < LOG_LOSS(truth, new) - 0.1
    assert mended.shape == new.shape
    if classes > 2:
        np.testing.assert_allclose(mended.sum(axis=1), 1.0)


def test_isotonic_is_scikit_learns_but_for_the_ends_and_never_sure() -> None:
    p, y = drawn(2, 3.0, rows=900)
    weight = np.random.default_rng(2).random(900) + 0.1
    members = members_of(p, y, weight)
    found = fit_calibration("isotonic", members, p)
    assert isinstance(found, Isotonic)
    reference = IsotonicRegression().fit(p[:, 0], y, members.mass)
    grid = np.linspace(0.05, 0.95, 50)
    np.testing.assert_allclose(found.apply(grid[:, None])[:, 0], reference.predict(grid), atol=0.01)
    levels = np.array(found.levels[0])
    assert 0.0 < levels.min() < levels.max() < 1.0
    assert (np.diff(levels) >= 0.0).all()
    assert len(levels) < 100


def test_equal_weights_are_no_weights_and_rows_without_weight_count_nothing() -> None:
    p, y = drawn(2, 2.0, rows=400)
    for kind in ("temperature", "isotonic"):
        assert fit_calibration(kind, members_of(p, y, np.full(400, 3.0)), p) == fit_calibration(
            kind, members_of(p, y), p
        )
    weight = (np.arange(400) % 2).astype(float)
    noise = np.where(weight > 0, y, 1 - y)
    assert fit_calibration("temperature", members_of(p, y, weight), p) == fit_calibration(
        "temperature", members_of(p, noise, weight), p
    )


@pytest.mark.parametrize("kind", ["temperature", "isotonic"])
@pytest.mark.parametrize("y", [np.zeros(40, dtype=int), np.arange(40) % 2])
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_constants_are_no_trouble(kind: str, y: Array, p: float) -> None:
    prediction = np.full((40, 1), p)
    found: Calibration | None = fit_calibration(kind, members_of(prediction, y), prediction)
    if found is not None:
        calibrated = found.apply(np.array([[0.0], [0.3], [1.0]]))
        assert np.isfinite(calibrated).all()
        assert 0.0 < found.apply(prediction).max() < 1.0


def test_nothing_gained_is_no_calibration_and_an_unknown_kind_is_named() -> None:
    y = np.arange(40) % 2
    p = np.full((40, 1), 0.5)
    assert fit_calibration("temperature", members_of(p, y), p) is None
    assert fit_calibration("isotonic", members_of(p, y), p) is None
    with pytest.raises(ConfigError, match="there is no 'platt'; choose none, temperature, isotonic"):
        fit_calibration("platt", members_of(p, y), p)
