"""Target transforms: there and back, fitted on the training fold alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.data.folds import TRAIN, VALIDATE, FoldPlan
from workbench.data.target import TargetKind, TargetTransform, target_kind
from workbench.errors import DataError
from workbench.types import Task

KINDS: tuple[TargetKind, ...] = ("none", "standardize", "log1p", "log1p+standardize")
VALUES = st.lists(st.floats(0.0, 1e6), min_size=1, max_size=30)
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@given(values=VALUES)
def test_there_and_back(kind: TargetKind, values: list[float]) -> None:
    y = np.array(values)
    transform = TargetTransform.fit(kind, y)
    np.testing.assert_allclose(transform.inverse(transform.forward(y)), y, rtol=1e-9, atol=1e-6)
    assert transform.inverse(np.zeros((4, 1))).shape == (4, 1)


@every_kind
@given(values=VALUES)
def test_the_state_survives_json(kind: TargetKind, values: list[float]) -> None:
    transform = TargetTransform.fit(kind, np.array(values))
    assert TargetTransform.from_state(json.loads(json.dumps(transform.state()))) == transform


@every_kind
@given(rows=st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e6), st.booleans()), min_size=2, max_size=30))
def test_validation_labels_move_nothing_that_is_fitted(kind: TargetKind, rows: list[tuple[float, float, bool]]) -> None:
    before, other, validated = (np.array(part) for part in zip(*rows, strict=True))
    plan = FoldPlan(np.where(np.stack([validated, ~validated]), VALIDATE, TRAIN), "kfold")
    for split in range(plan.splits):
        if len(train := plan.train(split)):
            after = before.copy()
            after[plan.validate(split)] = other[plan.validate(split)]
            assert TargetTransform.fit(kind, before[train]) == TargetTransform.fit(kind, after[train])


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=30, unique=True))
def test_standardised_means_mean_0_and_deviation_1(values: list[int]) -> None:
    y = np.array(values, dtype=np.float64)
    for kind in ("standardize", "log1p+standardize"):
        forward = TargetTransform.fit(kind, y).forward(y)  # type: ignore[arg-type]
        assert forward.mean() == pytest.approx(0.0, abs=1e-6)
        assert forward.std() == pytest.approx(1.0)


def test_a_constant_fold_is_not_divided_by_zero() -> None:
    assert TargetTransform.fit("standardize", np.full(5, 3.0)).forward(np.array([3.0, 4.0])).tolist() == [0.0, 1.0]


def test_class_codes_stay_integers() -> None:
    codes = np.array([0, 1, 2])
    assert TargetTransform.fit("none", codes).forward(codes).dtype == codes.dtype


def test_a_diverged_prediction_is_infinite_without_a_warning() -> None:
    assert np.isinf(TargetTransform.fit("log1p", np.array([1.0])).inverse(np.array([1e4])))[0]


@pytest.mark.parametrize("kind", ["log1p", "log1p+standardize"])
def test_a_logarithm_gives_nothing_below_0(kind: TargetKind) -> None:
    transform = TargetTransform.fit(kind, np.array([0.0, 1.0, 5.0]))
    assert transform.inverse(np.array([-50.0, -3.0])).tolist() == [0.0, 0.0]
    assert np.isnan(transform.inverse(np.array([np.nan])))[0]


@pytest.mark.parametrize(
    ("task", "metric", "neural", "kind"),
    [
        ("regression", "rmse", True, "standardize"),
        ("regression", "rmse", False, "none"),
        ("regression", "rmsle", True, "log1p+standardize"),
        ("regression", "rmsle", False, "log1p"),
        ("binary", "log_loss", True, "none"),
        ("multiclass", "log_loss", False, "none"),
    ],
)
def test_which_transform(task: Task, metric: str, neural: bool, kind: TargetKind) -> None:
    assert target_kind(task, metric, neural=neural) == kind


def test_mistakes_are_told() -> None:
    with pytest.raises(DataError, match=r"log1p needs a target above -1, got -2\.0"):
        TargetTransform.fit("log1p", np.array([1.0, -2.0]))
    with pytest.raises(DataError, match="unknown target transform 'sqrt'"):
        TargetTransform.fit("sqrt", np.array([1.0]))  # type: ignore[arg-type]
