"""scikit-learn estimators of a user's own."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench.data.dataset import Dataset
from workbench.data.folds import FoldPlan
from workbench.data.prepared import Prepared
from workbench.errors import FactoryError, TrialFailed
from workbench.models.neighbors import SampledNeighbors
from workbench.models.problem import Problem
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.forest_path import as_arrays, load_forest
from workbench.training.runner import run
from workbench.training.user_modules import known_modules
from workbench.types import Description, TrialResult


def silent(_: object) -> bool:
    return False


PIPELINE = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def build(hp, problem):
    return make_pipeline(StandardScaler(), LogisticRegression(C=hp.Float("C", 0.01, 10.0, default=1.0)))
"""

OWN_CLASS = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

class Mean(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)

def build(hp, problem):
    return Mean()
"""


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_pipeline_takes_weights(make_job, own_factory, task: str) -> None:
    plain = run(make_job(task, own_factory(PIPELINE), vault=None), silent)
    weighted = run(make_job(task, own_factory(PIPELINE), weight=True, vault=None), silent)
    assert isinstance(plain, TrialResult)
    assert isinstance(weighted, TrialResult)
    assert plain.values == {"C": 1.0}
    assert plain.scores != weighted.scores


def test_an_own_class_moves_with_its_code(make_job, own_factory, tmp_path) -> None:
    job = make_job("regression", own_factory(OWN_CLASS))
    run(job, silent)
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "own", moved)
    shutil.rmtree(tmp_path / "own")
    folder = Vault(job.vault).folder(job.fit_key)
    predicted = load_predictor(folder / "split0", moved).predict(Dataset.open(job.dataset).test)
    assert predicted.shape == (40, 1)
    assert len(np.unique(predicted)) == 1


STEP = """
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

class Shift(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_

def build(hp, problem):
    return make_pipeline({step}, LinearRegression())
"""


@pytest.mark.parametrize("neighbour", [False, True])
def test_an_own_step_of_a_pipeline_moves_with_its_code(make_job, own_factory, tmp_path, neighbour: bool) -> None:
    source = STEP.format(step="Shift()")
    if neighbour:
        own_factory("").root.joinpath("own_steps.py").write_text(source)
    family = own_factory("from own_steps import build" if neighbour else source)
    job = make_job("regression", family)
    run(job.model_copy(update={"kind": "describe"}), silent)
    run(job, silent)
    shutil.move(tmp_path / "own", tmp_path / "moved")
    vault, dataset = Vault(job.vault), Dataset.open(job.dataset)
    predictor = load_predictor(vault.folder(job.fit_key) / "split0", tmp_path / "moved")
    rows = FoldPlan.open(job.plan).validate(0)
    np.testing.assert_allclose(predictor.predict(dataset.features.iloc[rows]), vault.oof(job.fit_key)[0])


OWN = {
    "columns": (
        "binary",
        """
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

def build(hp, problem):
    numbers = len(problem.schema.numeric)
    parts = [("n", StandardScaler(), slice(0, numbers)), ("c", OneHotEncoder(), slice(numbers, problem.width))]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression())
""",
    ),
    "boosting": (
        "multiclass",
        """
from sklearn.ensemble import HistGradientBoostingClassifier

def build(hp, problem):
    return HistGradientBoostingClassifier(max_iter=10)
""",
    ),
    "stacking": (
        "binary",
        """
from sklearn.ensemble import ExtraTreesClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

def build(hp, problem):
    parts = [("trees", ExtraTreesClassifier(5)), ("near", KNeighborsClassifier())]
    return StackingClassifier(parts, LogisticRegression(), cv=3)
""",
    ),
    "process": (
        "binary",
        """
from sklearn.gaussian_process import GaussianProcessClassifier

def build(hp, problem):
    return GaussianProcessClassifier()
""",
    ),
    "calibrated": (
        "binary",
        """
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import LinearSVC

def build(hp, problem):
    return CalibratedClassifierCV(LinearSVC(), cv=3)
""",
    ),
    "transformed": (
        "regression",
        """
import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVR

def build(hp, problem):
    return TransformedTargetRegressor(SVR(), transformer=QuantileTransformer(n_quantiles=20))
""",
    ),
}


@pytest.mark.parametrize(("task", "source"), OWN.values(), ids=OWN)
def test_estimators_of_estimators_are_stored_whole(make_job, own_factory, task: str, source: str) -> None:
    job = make_job(task, own_factory(source), rows=90)
    run(job.model_copy(update={"kind": "describe"}), silent)
    run(job, silent)
    vault, dataset = Vault(job.vault), Dataset.open(job.dataset)
    rows = FoldPlan.open(job.plan).validate(0)
    predicted = load_predictor(vault.folder(job.fit_key) / "split0").predict(dataset.features.iloc[rows])
    np.testing.assert_allclose(predicted, vault.oof(job.fit_key)[0], rtol=1e-6)


PREPARED = """
from sklearn.linear_model import Ridge

def build(hp, problem):
    assert problem.width == len(problem.schema.numeric) == {width}, problem.width
    return Ridge()
"""


@pytest.mark.parametrize(("preparation", "width"), [("one_hot", 7), ("target", 4)])
def test_an_own_factory_sees_the_width_of_the_preparation(make_job, own_factory, preparation: str, width: int) -> None:
    family = own_factory(PREPARED.format(width=width), preparation)
    assert isinstance(run(make_job("regression", family, vault=None), silent), TrialResult)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_stored_forests_predict_as_scikit_learns(tmp_path, task: str) -> None:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

    rng = np.random.default_rng(0)
    x = np.where(rng.random((300, 4)) < 0.2, np.nan, rng.normal(size=(300, 4)))
    y = 1.7e9 + np.nan_to_num(x[:, 0]) if task == "regression" else (np.nan_to_num(x[:, 0]) > 0).astype(int)
    kind = ExtraTreesRegressor if task == "regression" else RandomForestClassifier
    forest = kind(5, random_state=0).fit(x, y)
    expected = forest.predict(x) if task == "regression" else forest.predict_proba(x)[:, 1]
    problem = Problem(task, "rmse" if task == "regression" else "auc", () if task == "regression" else ("n", "y"))
    as_arrays(forest, problem).save(tmp_path)
    np.testing.assert_allclose(
        load_forest(tmp_path).predict(Prepared.numbers(x))[:, 0], expected, rtol=1e-12, atol=1e-6
    )


def test_neighbours_lose_no_class_to_chance() -> None:
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    x, y = np.arange(300.0)[:, None], np.where(np.arange(300) < 2, 2, np.arange(300) % 2)
    for weight in (None, np.ones(300), np.where(y == 1, 0.0, 1.0)):
        for seed in range(5):
            model = SampledNeighbors(KNeighborsClassifier(5), 20, random_state=seed).fit(x, y, weight)
            assert model.classes_.tolist() == [code for code in (0, 1, 2) if weight is None or weight[y == code].any()]
            assert model.predict_proba(x[:3]).sum(axis=1) == pytest.approx(1.0)
    assert len(SampledNeighbors(KNeighborsRegressor(5), 20)._drawn(x[:, 0], None)) == 20


def test_an_absent_catboost_is_told(monkeypatch, make_job) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(FactoryError, match=r"pip install 'workbench\[catboost\]'"):
        run(make_job("binary", "catboost", vault=None), silent)


CATBOOST = """
from catboost import CatBoostRegressor

def build(hp, problem):
    return CatBoostRegressor({options})
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("early_stopping_rounds=5", "rounds and early stopping are the training's"),
        ("loss_function='Poisson'", "expected one of RMSE, MAE"),
    ],
)
def test_catboost_options_that_the_training_cannot_honour(make_job, own_factory, options: str, message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        run(make_job("regression", own_factory(CATBOOST.format(options=options)), vault=None), silent)


def test_an_own_catboosts_rounds_are_an_upper_limit(make_job, own_factory) -> None:
    family = own_factory(CATBOOST.format(options="n_estimators=4, verbose=False"), "native")
    result = run(make_job("regression", family, vault=None), silent)
    assert isinstance(result, TrialResult)
    assert result.epochs == (4, 4, 4)
    assert not Path("catboost_info").exists()


def test_what_cannot_be_loaded_again_is_known_from_describing(make_job, own_factory) -> None:
    family = own_factory(STEP.format(step="FunctionTransformer(lambda X: X)"))
    with pytest.raises(FactoryError, match="cannot be stored and loaded again"):
        run(make_job("regression", family, kind="describe"), silent)


def test_code_outside_the_factorys_folder_is_not_trusted(own_factory) -> None:
    family = own_factory("def build(hp, problem):\n    return None")
    assert known_modules(["os", "shutil", "workbench_user_elsewhere_0123456789ab"], family) == ()


def test_weights_are_never_dropped_in_silence(make_job, own_factory) -> None:
    with pytest.raises(FactoryError, match=r"Mean.fit takes no sample_weight"):
        run(make_job("regression", own_factory(OWN_CLASS), weight=True, vault=None), silent)


def test_describing_an_estimator(make_job, own_factory) -> None:
    description = run(make_job("binary", own_factory(PIPELINE), kind="describe"), silent)
    assert isinstance(description, Description)
    assert [p.name for p in description.space.parameters] == ["C"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def build(hp, problem):\n    return 3", "expected a compiled keras.Model, a scikit-learn estimator"),
        ("def build(hp, problem):\n    raise KeyError('oops')", "oops"),
        ("from sklearn.svm import LinearSVC\ndef build(hp, problem):\n    return LinearSVC()", "no predict_proba"),
    ],
)
def test_a_bad_factory_is_known_from_describing(make_job, own_factory, source: str, message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        run(make_job("binary", own_factory(source), kind="describe"), silent)


def test_predictions_of_another_width_are_refused(make_job, own_factory) -> None:
    wide = OWN_CLASS.replace("np.full(len(X), self.mean_)", "np.full((len(X), 5), self.mean_)")
    with pytest.raises(TrialFailed, match=r"shape \(\d+, 5\), expected \(\d+, 1\)"):
        run(make_job("regression", own_factory(wide), kind="describe"), silent)


def test_recipe_weights_reach_the_fit(make_job, own_factory) -> None:
    source = PIPELINE.replace(
        "return make_pipeline", "from workbench.models.recipe import Recipe\n    model = make_pipeline"
    )
    source += "    return Recipe(model=model, sample_weight=lambda y: 1.0 + 9.0 * (y == 1))\n"
    plain = run(make_job("binary", own_factory(PIPELINE), vault=None), silent)
    tilted = run(make_job("binary", own_factory(source), vault=None), silent)
    assert isinstance(plain, TrialResult)
    assert isinstance(tilted, TrialResult)
    assert tilted.score > plain.score


def test_recipe_weights_are_drawn_from_training_rows_alone(make_job, own_factory) -> None:
    source = """
from sklearn.linear_model import Ridge
from workbench.models.recipe import Recipe

def weights(y):
    if len(y) != 100:
        raise RuntimeError(f"{len(y)} rows")
    return 1.0 + abs(y)

def build(hp, problem):
    return Recipe(model=Ridge(), sample_weight=weights)
"""
    assert isinstance(run(make_job("regression", own_factory(source), vault=None), silent), TrialResult)
