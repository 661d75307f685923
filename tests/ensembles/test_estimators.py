"""Blends on NumPy arrays, in scikit-learn's manner."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, mean_squared_error

from workbench.ensembles import BlendClassifier, BlendRegressor
from workbench.errors import ConfigError

ROWS = 300


def regression() -> tuple[dict[str, np.ndarray], np.ndarray]:
    generator = np.random.default_rng(0)
    y = generator.normal(size=ROWS)
    return {name: y + generator.normal(size=ROWS) for name in ("a", "b")}, y


def classes(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    codes = generator.integers(0, count, ROWS)
    logits = 1.5 * np.eye(count)[codes][:, None, :] + generator.normal(size=(ROWS, 3, count))
    powers = np.exp(logits)
    return powers / powers.sum(axis=2, keepdims=True), np.array(["ape", "bee", "cat"])[:count][codes]


def test_independent_errors_share_the_weight_and_the_blend_is_better() -> None:
    X, y = regression()
    blend = BlendRegressor(method="convex").fit(X, y)
    assert blend.weights_ == {"a": pytest.approx(0.5, abs=0.1), "b": pytest.approx(0.5, abs=0.1)}
    assert mean_squared_error(y, blend.predict(X)) < 0.7 * min(mean_squared_error(y, part) for part in X.values())
    assert blend.in_sample_ == pytest.approx(blend.nested_, rel=0.02)


@pytest.mark.parametrize("count", [2, 3])
def test_labels_and_probabilities_come_back(count: int) -> None:
    X, y = classes(count)
    blend = BlendClassifier(metric="log_loss").fit(X, y, folds=np.arange(ROWS) % 4)
    probabilities = blend.predict_proba(X)
    assert probabilities.shape == (ROWS, count)
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert log_loss(y, probabilities) < min(log_loss(y, X[:, i]) for i in range(3))
    assert set(blend.predict(X)) <= set(blend.classes_) == set(y)
    assert clone(blend).get_params() == blend.get_params()


def test_the_order_of_members_and_duplicates_change_nothing() -> None:
    X, y = classes(2)
    names = {f"m{i}": X[:, i, 1] for i in range(3)}
    shuffled = {**dict(reversed(names.items())), "twin": names["m1"]}
    first, second = (BlendClassifier(metric="auc").fit(given, y) for given in (names, shuffled))
    np.testing.assert_allclose(first.predict_proba(names), second.predict_proba(shuffled), rtol=1e-12)
    assert first.nested_ == pytest.approx(second.nested_, rel=1e-12)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ({"a": np.full(ROWS, np.nan), "b": np.zeros(ROWS)}, "member 'a' holds 300 predictions that are not finite"),
        ({"a": np.zeros(ROWS), "b": np.zeros(3)}, "different numbers of rows"),
        ({"a": np.zeros(3)}, "3 rows, y has 300"),
        ({"a": np.zeros((ROWS, 2))}, "member 'a': expected 1 column, got shape"),
        ({}, "no member"),
        (np.zeros(ROWS), "expected predictions"),
    ],
)
def test_what_does_not_fit_is_named(X: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BlendRegressor().fit(X, np.arange(float(ROWS)))  # type: ignore[arg-type]


def test_a_member_that_lacks_at_prediction_is_named() -> None:
    X, y = regression()
    blend = BlendRegressor(method="mean").fit(X, y)
    with pytest.raises(ConfigError, match="predictions of b are lacking"):
        blend.predict({"a": X["a"]})


def test_a_data_frame_names_its_members_and_what_is_no_probability_or_fold_is_refused() -> None:
    X, y = classes(2)
    frame = pd.DataFrame({"lgbm": X[:, 0, 1], "mlp": X[:, 1, 1]})
    blend = BlendClassifier(method="convex").fit(frame, y)
    assert set(blend.weights_) <= {"lgbm", "mlp"}
    assert blend.predict(frame[["mlp", "lgbm"]]).tolist() == blend.predict(frame).tolist()
    with pytest.raises(ConfigError, match=r"member 'lgbm' holds .* outside 0 to 1"):
        blend.fit(frame * 3 - 1, y)
    with pytest.raises(ConfigError, match="folds has one value"):
        blend.fit(frame, y, folds=np.zeros(ROWS))
    with pytest.raises(NotFittedError):
        BlendClassifier().predict(frame)
