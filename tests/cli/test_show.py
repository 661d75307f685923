"""``workbench show``: what is drawn is what Keras counts, and fits a terminal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from workbench.cli import app
from workbench.errors import ConfigError
from workbench.experiment import Experiment
from workbench.picture import draw
from workbench.types import Values

FACTORIES = '''
import keras


def branches(hp, problem):
    """Two branches of one input that share a layer, meet, and go around a block."""
    x, shared = problem.encode(hp), keras.layers.Dense(6, "tanh")
    both = keras.layers.Concatenate()([shared(x), keras.layers.BatchNormalization()(shared(x))])
    around = keras.layers.Add()([both, keras.layers.Dropout(0.25)(keras.layers.Dense(12)(both))])
    return problem.model(around)


def sequence(hp, problem):
    layers = [keras.layers.Reshape((2, 2, 1)), keras.layers.Conv2D(3, 2), keras.layers.Flatten(), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(loss="mse", optimizer="sgd")
    return model


class Hidden(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.last = keras.layers.Dense(5), keras.layers.Dense(1)
        self.scale = self.add_weight(shape=(), name="scale")

    def call(self, x):
        return self.scale * self.last(self.hidden(x))


def opaque(hp, problem):
    model = Hidden()
    model.compile(loss="mse", optimizer="sgd")
    return model


def pipeline(hp, problem):
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), Ridge(alpha=hp.Float("alpha", 0.1, 10.0, default=2.0)))
'''


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(30, 5)), columns=["a", "b", "c", "d", "y"])
    table.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "factories.py").write_text(FACTORIES)
    (tmp_path / "experiment.yaml").write_text(
        "name: own\ndata: {train: train.csv, target: y}\nmetric: pinball_0.9\n"
        'families: ["factories:branches", "factories:sequence", "factories:opaque", "factories:pipeline"]\n'
    )
    return Experiment.from_folder(tmp_path)


def weights_of(picture: str) -> tuple[list[int], list[float], int]:
    """Return the weights and shares that stand beside the operations, and the total below them."""
    cells = re.findall(r" ([\d,]+) +([\d.]+)%$", picture, re.MULTILINE)
    total = re.search(r"^([\d,]+) weights?", picture, re.MULTILINE)
    assert total is not None
    return [_number(n) for n, _ in cells], [float(share) for _, share in cells], _number(total[1])


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def in_order(picture: str, *parts: str) -> None:
    place = 0
    for part in parts:
        assert part in picture[place:], f"'{part}' does not follow in\n{picture}"
        place = picture.index(part, place) + len(part)


@pytest.mark.keras
@pytest.mark.parametrize("values", [{}, {"numbers": "periodic", "norm": "layer", "depth": 2}])
def test_the_weights_of_the_deep_family_are_those_that_keras_counts(values: Values, built_models: list[Any]) -> None:
    picture = draw("mlp", None, values)
    numbers, shares, total = weights_of(picture)
    assert total == sum(numbers) == built_models[-1].count_params()
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert max(len(line) for line in picture.splitlines()) <= 80
    in_order(picture, "Embedding", "Concatenate (a, b)", "MembersDense", "8 x 128", "MembersHead", "What is what")
    assert "MembersDense: A dense layer that ensemble members share" in picture
    in_order(picture, "HYPERPARAMETER", "numbers", "sigma", "if numbers = periodic", "lr", "0.0003 to 0.02, log")


@pytest.fixture
def built_models(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The models that are built while a picture is drawn."""
    from workbench.picture import drawing

    models: list[Any] = []
    build = drawing.build

    def remember(*args: Any) -> Any:
        built = build(*args)
        models.append(built.model)
        return built

    monkeypatch.setattr(drawing, "build", remember)
    return models


@pytest.mark.keras
def test_branches_can_be_followed_by_their_letters(experiment: Experiment, built_models: list[Any]) -> None:
    picture = draw("branches", experiment)
    numbers, _, total = weights_of(picture)
    # Dense 4 → 6 (counted once), normalisation of 6, Dense 12 → 12, Dense 12 → 1.
    assert numbers == [30, 24, 156, 13]
    assert total == 223 == built_models[-1].count_params()
    assert "223 weights, 211 of them trained" in picture
    in_order(picture, "Input numeric", " 4 a", "Dense", "tanh", " 6 b", "Dense (a) again", "BatchNormalization")
    in_order(picture, "Concatenate (b, c)", "12 d", "Dense", "Dropout 0.25", "12 e", "Add (d, e)", "Dense prediction")
    assert "loss pinball" in picture


@pytest.mark.keras
@pytest.mark.parametrize(
    ("family", "numbers", "parts"),
    [
        ("sequence", [15, 4], ("Reshape", "2 x 2 x 1", "Conv2D 2 x 2", "1 x 1 x 3", "Flatten", "Dense")),
        ("opaque", [25, 6, 1], ("Dense", "?????", "Dense", "Hidden itself")),
    ],
)
def test_models_without_inputs_of_their_own(
    experiment: Experiment, built_models: list[Any], family: str, numbers: list[int], parts: tuple[str, ...]
) -> None:
    picture = draw(family, experiment)
    assert weights_of(picture)[0] == numbers
    assert weights_of(picture)[2] == sum(numbers) == built_models[-1].count_params()
    in_order(picture, *parts)


def test_estimators_are_drawn_from_table_to_prediction(experiment: Experiment) -> None:
    picture = draw("pipeline", experiment, {"alpha": 5})
    in_order(picture, "own", "30 rows, 4 columns, regression, metric pinball_0.9", "scaled", "4 numbers")
    in_order(picture, "StandardScaler", "Ridge", "alpha 5", "prediction", "alpha", "5 ", "0.1 to 10")
    trees = draw("lightgbm", experiment)
    in_order(trees, "native", "LGBMRegressor", "quantile", "prediction    a value, trained on quantile error")
    assert "sampling           bagging  bagging, goss" in trees
    assert "There are no hyperparameters." in draw("dummy")


def test_a_range_that_the_experiment_widens_is_drawn(experiment: Experiment) -> None:
    family = '{name: pipeline, factory: "factories:pipeline", space: {alpha: {max: 50}}}'
    wider = Experiment.from_folder(experiment.root, overrides=[f"families=[{family}]"])
    in_order(draw("pipeline", wider, {"alpha": 40}), "alpha 40", "HYPERPARAMETER", "40", "0.1 to 50")


def test_a_plan_of_the_users_is_found_beside_the_experiment(experiment: Experiment) -> None:
    (experiment.root / "plans.py").write_text(
        "import numpy as np\n\ndef halves(frame, y):\n"
        "    first, second = np.arange(15), np.arange(15, 30)\n    return [(first, second), (second, first)]\n"
    )
    shown = Experiment.from_folder(experiment.root, overrides=["folds.function=plans:halves"])
    in_order(draw("pipeline", shown), "30 rows, 4 columns", "Ridge")


def test_mistakes_are_told(experiment: Experiment) -> None:
    with pytest.raises(ConfigError, match=r"no family is called 'mpl'; .*Did you mean 'mlp'\?"):
        draw("mpl")
    with pytest.raises(ConfigError, match=r"no family is called 'pipline'.*Did you mean 'pipeline'\?"):
        draw("pipline", experiment)
    with pytest.raises(ConfigError, match=r"lightgbm: expected lr as float from 0.01 to 0.3.*got 7"):
        draw("lightgbm", None, {"lr": 7})
    with pytest.raises(ConfigError, match="lightgbm has no hyperparameter 'leaves'; it has lr"):
        draw("lightgbm", None, {"leaves": 7})


def test_the_command_prints_it(experiment: Experiment) -> None:
    result = CliRunner().invoke(app, ["show", "pipeline", str(experiment.root), "--values", "alpha=1"])
    assert result.exit_code == 0, result.output
    in_order(result.output, "pipeline  on  own", "Ridge", "HYPERPARAMETER")
    assert not (experiment.root / ".workbench").exists(), "a picture leaves nothing behind"
