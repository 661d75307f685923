"""Real tables: a short experiment.yaml gives a valid submission that beats the base on the test labels."""

import pandas as pd
import pytest

import workbench
from workbench.metrics import ACCURACY, RMSE


def run(folder, text):
    (folder / "experiment.yaml").write_text(text + "families: [dummy, lightgbm]\nsearch: {trials: 1}\n")
    return workbench.run(str(folder))


@pytest.mark.soak  # experiments/titanic is run by its own tests
def test_titanic(shared_data, tmp_path):
    split = shared_data("titanic") / "split"
    data = f"{{train: {split}/train.csv, test: {split}/test.csv, target: Survived, id: PassengerId}}"
    result = run(tmp_path, f"data: {data}\nmetric: accuracy\n")
    truth = pd.read_csv(split / "test.csv").set_index("PassengerId")["Survived"]
    predicted = pd.read_csv(result.paths.submission).set_index("PassengerId")["Survived"]
    assert predicted.index.tolist() == truth.index.tolist()
    score = ACCURACY(truth.to_numpy(), predicted.to_numpy()[:, None].astype(float))
    assert score > max(truth.mean(), 1 - truth.mean()) + 0.1


@pytest.mark.soak
def test_california_housing(shared_data, tmp_path):
    folder = shared_data("california_housing")
    data = f"{{train: {folder}/train.csv.gz, test: {folder}/test.csv, target: MedHouseVal}}"
    result = run(tmp_path, f"data: {data}\nmetric: rmse\n")
    truth = pd.read_csv(folder / "test.csv")["MedHouseVal"]
    predicted = pd.read_csv(result.paths.submission)["MedHouseVal"]
    assert RMSE(truth.to_numpy(), predicted.to_numpy()[:, None]) < 0.5 * truth.std()
