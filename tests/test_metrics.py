"""Metrics agree with scikit-learn, or with an example that was published; their rules and names are told."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from workbench import metrics as ours
from workbench import registry
from workbench.data.checks import check_metric
from workbench.data.labels import infer_task
from workbench.errors import ConfigError, DataError
from workbench.metrics import Array, Metric, load_metric, monitored, objective
from workbench.models.problem import Problem
from workbench.types import MetricRef

Reference = Callable[..., float]
SEEDS = range(12)


def case(seed: int, classes: int) -> tuple[Array, Array]:
    """Return class codes and probabilities; some have ties, some lack a class, some have one alone."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 60))
    y = rng.integers(0, classes if seed % 3 else max(1, classes - 1), rows)
    p = rng.dirichlet(np.ones(classes), rows)
    if seed % 2:
        p = np.round(p, 1) / np.round(p, 1).sum(axis=1, keepdims=True)
    return (np.zeros(rows, dtype=np.int64) if seed == 4 else y), p[:, 1:] if classes == 2 else p


def weights(seed: int, rows: int) -> Array | None:
    rng = np.random.default_rng(seed)
    return (None, rng.random(rows), rng.integers(0, 3, rows) + np.eye(1, rows)[0], np.ones(rows))[seed % 4]


def quietly(reference: Reference, *args: Any, **options: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of what a fold does not define; the value is compared
        return float(reference(*args, **options))


def qwk(y: Array, codes: Array, sample_weight: Array | None) -> float:
    return float(sk.cohen_kappa_score(y, codes, labels=range(4), weights="quadratic", sample_weight=sample_weight))


def map_at_3(y: Array, p: Array, sample_weight: Array | None) -> float:
    """As ``apk`` of Ben Hamner's ml_metrics computes it, for one true class a row."""
    scores = []
    for true, row in zip(y, p, strict=True):
        predicted, score, hits = np.argsort(-row, kind="stable")[:3], 0.0, 0.0
        for position, guess in enumerate(predicted):
            if guess == true:
                hits += 1.0
                score += hits / (position + 1.0)
        scores.append(score)
    return float(np.average(scores, weights=sample_weight))


LABELS: list[tuple[str, int, Reference]] = [
    ("accuracy", 4, sk.accuracy_score),
    ("balanced_accuracy", 2, sk.balanced_accuracy_score),
    ("balanced_accuracy", 4, sk.balanced_accuracy_score),
    ("f1", 2, sk.f1_score),
    ("f1_macro", 2, lambda *args, **options: sk.f1_score(*args, average="macro", **options)),
    ("f1_macro", 4, lambda *args, **options: sk.f1_score(*args, average="macro", **options)),
    ("mcc", 2, sk.matthews_corrcoef),
    ("mcc", 4, sk.matthews_corrcoef),
    ("qwk", 4, qwk),
]
PROBABILITIES: list[tuple[str, int, Reference]] = [
    ("auc", 2, sk.roc_auc_score),
    ("average_precision", 2, sk.average_precision_score),
    ("log_loss", 2, lambda y, p, **options: sk.log_loss(y, p, labels=[0, 1], **options)),
    ("log_loss", 4, lambda y, p, **options: sk.log_loss(y, p, labels=range(4), **options)),
    ("map_at_3", 5, map_at_3),
]
VALUES: list[tuple[str, Reference]] = [
    ("rmse", sk.root_mean_squared_error),
    ("rmsle", sk.root_mean_squared_log_error),
    ("mae", sk.mean_absolute_error),
    ("medae", sk.median_absolute_error),
    ("mape", sk.mean_absolute_percentage_error),
    ("r2", sk.r2_score),
    ("pinball_0.9", lambda *args, **options: sk.mean_pinball_loss(*args, alpha=0.9, **options)),
    ("pinball_0.25", lambda *args, **options: sk.mean_pinball_loss(*args, alpha=0.25, **options)),
]


def metric(name: str) -> Metric:
    return load_metric(MetricRef(name=name))


def agree(left: float, right: float) -> None:
    np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "classes", "reference"), LABELS)
def test_metrics_of_labels_agree_with_scikit_learn(name: str, classes: int, reference: Reference) -> None:
    for seed in SEEDS:
        y, p = case(seed, classes)
        weight = weights(seed, len(y))
        agree(metric(name)(y, p, weight), quietly(reference, y, ours.labels(p), sample_weight=weight))


@pytest.mark.parametrize(("name", "classes", "reference"), PROBABILITIES)
def test_metrics_of_probabilities_agree_with_scikit_learn(name: str, classes: int, reference: Reference) -> None:
    for seed in SEEDS:
        y, p = case(seed, classes)
        weight, given = weights(seed, len(y)), p[:, 0] if classes == 2 else p
        agree(metric(name)(y, p, weight), quietly(reference, y, given, sample_weight=weight))


@pytest.mark.parametrize(("name", "reference"), VALUES)
def test_metrics_of_values_agree_with_scikit_learn(name: str, reference: Reference) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        rows = int(rng.integers(2, 50))
        y, p = rng.gamma(1.0, 5.0, rows), rng.gamma(1.0, 5.0, rows)
        if seed % 3 == 0:
            y, p = np.round(y), np.round(p)  # ties, and zeros in y
        if seed == 5:
            y = np.full(rows, 3.0)
        weight = weights(seed, rows)
        agree(metric(name)(y, p[:, None], weight), quietly(reference, y, p, sample_weight=weight))


def test_what_is_hit_everywhere_is_perfect() -> None:
    y = np.array([0.0, 3.0, 3.0, 7.5])
    for name in ("rmse", "mae", "medae", "mape", "smape", "pinball_0.1"):
        assert metric(name)(y, y[:, None]) == 0.0
    assert metric("r2")(y, y[:, None]) == metric("r2")(np.ones(3), np.ones((3, 1))) == 1.0
    codes = np.array([0, 1, 2, 3, 1])
    for name in ("accuracy", "balanced_accuracy", "f1_macro", "mcc", "qwk", "map_at_1"):
        assert metric(name)(codes, np.eye(4)[codes]) == pytest.approx(1.0)


def test_smape_of_published_examples() -> None:
    """Wikipedia, 'Symmetric mean absolute percentage error': 4.76 % and 5.26 %, without the factor 2 of M4."""
    assert metric("smape")(np.array([100.0]), np.array([[110.0]])) / 2 == pytest.approx(0.0476, abs=1e-4)
    assert metric("smape")(np.array([100.0]), np.array([[90.0]])) / 2 == pytest.approx(0.0526, abs=1e-4)
    assert metric("smape")(np.array([0.0, 0.0]), np.array([[0.0], [5.0]])) == 1.0  # 0 where both are 0, else at most 2


def test_qwk_of_a_published_example() -> None:
    """The tests of ml_metrics (Ben Hamner), the package of the Hewlett essay competition: classes from 1 to 4."""
    for left, right, expected in (
        ([1, 2, 3], [1, 2, 3], 1.0),
        ([1, 2, 1], [1, 2, 2], 0.4),
        ([1, 2, 3, 1, 2, 2, 3], [1, 2, 3, 1, 2, 3, 2], 0.75),
    ):
        codes = np.array(left) - 1
        assert metric("qwk")(codes, np.eye(4)[np.array(right) - 1]) == pytest.approx(expected)


def test_map_at_k_is_the_reciprocal_rank_up_to_k() -> None:
    y, p = case(7, 5)
    agree(
        metric("map_at_5")(y, p + np.arange(5) * 1e-9),
        sk.label_ranking_average_precision_score(np.eye(5)[y], p + np.arange(5) * 1e-9),
    )
    guesses = np.array([[0.5, 0.3, 0.2]])
    assert [metric(f"map_at_{k}")(np.array([1]), guesses) for k in (1, 2, 3)] == [0.0, 0.5, 0.5]
    assert metric("map_at_2")(np.array([0, 1]), np.array([[0.2], [0.2]])) == 0.75


@pytest.mark.parametrize(
    "name", [n for n in registry.BUILT_INS["metrics"] if "<" not in n] + ["map_at_3", "pinball_0.9"]
)
def test_a_metric_has_one_name_and_a_monitor_of_its_kind(name: str) -> None:
    found = metric(name)
    assert found.name == name
    assert monitored(found).monitor is None
    assert (monitored(found).needs == "values") == (found.needs == "values")
    assert registry.resolve("metrics", name) is found, "one object, so that Experiment(metric=…) finds its name"


def test_weights_of_one_change_nothing_and_scale_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    y, p, weight = rng.integers(0, 2, 40), rng.random((40, 1)), rng.random(40)
    for name in ("average_precision", "f1", "mcc", "qwk", "balanced_accuracy", "medae", "smape", "r2", "pinball_0.5"):
        agree(metric(name)(y, p, np.ones(40)), metric(name)(y, p))
        agree(metric(name)(y, p, 7 * weight), metric(name)(y, p, weight))
    errors = np.arange(1.0, 1001.0)[:, None]
    for same in (0.1, 0.3, 1 / 3):  # their sums round: half of the weight is not met to the last bit
        agree(metric("medae")(np.zeros(1000), errors, np.full(1000, same)), 500.5)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("roc_auc", "Did you mean 'auc'?"),
        ("AUC", "Did you mean 'auc'?"),
        ("logloss", "Did you mean 'log_loss'?"),
        ("neg_log_loss", "Did you mean 'log_loss'?"),
        ("f1_score", "Did you mean 'f1'?"),
        ("F1-macro", "Did you mean 'f1_macro'?"),
        ("matthews", "Did you mean 'mcc'?"),
        ("quadratic_kappa", "Did you mean 'qwk'?"),
        ("mse", "Did you mean 'rmse'?"),
        ("neg_mean_absolute_error", "Did you mean 'mae'?"),
        ("map@3", "Did you mean 'map_at_3'?"),
        ("acuracy", "Did you mean 'accuracy'?"),
        ("map_at_0", "K is a whole number from 1, such as map_at_3, received '0'"),
        ("map_at_<K>", "K is a whole number from 1, such as map_at_3, received '<K>'"),
        ("pinball_2", "Q is a quantile between 0 and 1, such as pinball_0.9, received '2'"),
        ("pinball_nan", "Q is a quantile between 0 and 1"),
        ("pinball_.9", "'pinball_.9' is called 'pinball_0.9' here"),
    ],
)
def test_other_names_are_told_the_one_that_is_used(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        registry.resolve("metrics", name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "y", "task", "classes", "said"),
    [
        ("f1", [0, 1, 2], "multiclass", (1, 2, 3), "f1 needs two classes, but the target has more; choose f1_macro"),
        ("average_precision", [0, 1, 2], "multiclass", (1, 2, 3), "average_precision needs two classes"),
        ("map_at_3", [0, 1], "binary", (0, 1), "map_at_3 ranks many classes, but the target has two"),
        ("qwk", [0, 1, 2], "multiclass", ("bad", "good", "so so"), "qwk needs classes in an order, .* such as 'bad'"),
        ("mape", [1.0, 0.0, 0.0], "regression", (), "2 of 3 rows are 0, first row 2: 0.0; choose smape or mae"),
        ("rmsle", [1.0, -2.0], "regression", (), "1 of 2 rows are below, first row 2: -2.0; choose rmse or mae"),
    ],
)
def test_what_a_target_does_not_allow_is_told(
    name: str, y: Sequence[float], task: Any, classes: tuple[Any, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        check_metric(name, np.array(y), task=task, classes=classes)


@pytest.mark.parametrize(
    ("name", "y", "task", "classes"),
    [
        ("mcc", [0, 1, 2], "multiclass", ("a", "b", "c")),
        ("qwk", [0, 1, 2], "multiclass", (1, 2, 3)),
        ("qwk", [0, 1], "binary", ("ham", "spam")),
        ("f1", [0, 1], "binary", ("ham", "spam")),
        ("smape", [0.0, 1.0], "regression", ()),
    ],
)
def test_what_a_target_allows(name: str, y: Sequence[float], task: Any, classes: tuple[Any, ...]) -> None:
    check_metric(name, np.array(y), task=task, classes=classes)


@pytest.mark.parametrize(
    ("names", "task"),
    [
        (("qwk", "f1_macro", "balanced_accuracy", "map_at_3", "mcc"), "multiclass"),
        (("r2", "mape", "smape", "medae", "pinball_0.9"), "regression"),
    ],
)
def test_whole_numbers_are_classes_or_values_as_the_metric_needs(names: Sequence[str], task: str) -> None:
    target = pd.Series([1, 2, 3, 2, 1], name="y")
    assert {infer_task(target, task=None, metric_needs=metric(name).needs) for name in names} == {task}


def test_objectives_follow_the_metric() -> None:
    assert {name: objective(name) for name in ("mae", "medae", "mape", "smape")} == dict.fromkeys(
        ("mae", "medae", "mape", "smape"), ("absolute", 0.5)
    )
    assert objective("pinball_0.9") == ("quantile", 0.9)
    assert objective("rmse") == objective("r2") == objective("profit") == objective("pinball_mine") == ("squared", 0.5)


def test_boosters_and_the_base_aim_at_the_quantile() -> None:
    from workbench.models import dummy, lightgbm, xgboost
    from workbench.models.hyperparameters import HyperParameters

    problem = Problem("regression", "pinball_0.9")
    assert dummy.build(HyperParameters({}), problem).get_params()["quantile"] == 0.9
    light = lightgbm.build(HyperParameters({}), problem).get_params()
    assert (light["objective"], light["alpha"]) == ("quantile", 0.9)
    extreme = xgboost.build(HyperParameters({}), problem).get_params()
    assert (extreme["objective"], extreme["quantile_alpha"]) == ("reg:quantileerror", 0.9)


@pytest.mark.keras
def test_networks_aim_at_the_quantile() -> None:
    import keras

    loss = Problem("regression", "pinball_0.9").loss
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
    agree(np.float32(loss(y, p)), np.float32(metric("pinball_0.9")(y[:, 0], p)))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.quantile == 0.9


def test_scoring_imports_numpy_alone() -> None:
    code = "import workbench.metrics, sys; sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
