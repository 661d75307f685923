"""The exported model: loaded in a fresh process, from raw rows, on the code that it carries."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.delivery.trained import Trained, built_in, raw_table, train
from workbench.delivery.export import ExportSpec
from workbench.delivery.frozen_blend import BlendFile, FrozenBlend
from workbench.delivery.layout import make_layout
from workbench.delivery.process import export_in_process, predict_in_process
from workbench.errors import NothingToDeliver, StoreError, UserError, WorkbenchError

WEIGHTS = {"dummy": 0.1, "lightgbm": 0.6, "forest": 0.3}

LOADED = """
import json, sys
from pathlib import Path
import numpy as np, pandas as pd
import mlflow.pyfunc
from mlflow.models import validate_serving_input

model, test = sys.argv[1:]
loaded = mlflow.pyfunc.load_model(model)
rows = pd.read_csv(test, dtype={"id": str})
whole = loaded.predict(rows)
order = np.random.default_rng(0).permutation(len(rows))
shuffled = loaded.predict(rows.iloc[order, ::-1].assign(unknown="x"))
full = rows.dropna(subset=["age"])
whole_numbers = loaded.predict(full.assign(age=full["age"].astype("int64")))
single = pd.concat([loaded.predict(rows.iloc[[i]]) for i in range(10)])
example = loaded.predict(loaded.input_example)
served = validate_serving_input(model, open(f"{model}/serving_input_example.json").read())
import workbench
from workbench.delivery.predict import predict_file

def told(model, frame):
    frame.to_csv("bad.csv", index=False)
    try:
        predict_file(model, Path("bad.csv"), Path("never.csv"))
    except workbench.errors.WorkbenchError as error:
        return [type(error).__name__, str(error)]

rows.iloc[order].to_parquet("rows.parquet")
predict_file(model, Path("rows.parquet"), Path("out.csv"))
print(json.dumps({
    "file": pd.read_csv("out.csv", dtype={"id": str}).sort_values("id").to_dict("list"),
    "errors": {
        "column": told(model, rows.drop(columns="city")),
        "cells": told(model, rows.assign(income="much")),
        "folder": told("nowhere", rows),
        "registry": told("models:/shop@champion", rows),
    },
    "written": Path("never.csv").exists(),
    "code": workbench.__file__,
    "modules": [name for name in ("keras", "jax", "tensorflow") if name in sys.modules],
    "whole": whole.to_dict("list"),
    "shuffled": shuffled.iloc[np.argsort(order)].to_dict("list"),
    "whole_numbers": whole_numbers.to_dict("list"),
    "single": single.to_dict("list"),
    "example": example.to_dict("list"),
    "served": served.to_dict("list"),
    "nothing": loaded.predict(rows.head(0)).to_dict("list"),
}))
"""


def spec(trained: Trained, folder: Path, **weights: float) -> ExportSpec:
    schema = trained.dataset.schema
    return ExportSpec(
        folder=folder,
        experiment="shop",
        blend=trained.blend(**weights),
        vault=trained.vault.root,
        table=schema,
        splits=trained.plan.splits,
        layout=make_layout(schema, "probabilities"),
        example=trained.root / "test.csv",
    )


@pytest.fixture(scope="module")
def model(estimators: Trained) -> Path:
    """The estimators' blend, exported."""
    return export_in_process(spec(estimators, estimators.root / "model", **WEIGHTS))


@pytest.fixture(scope="module")
def loaded(estimators: Trained, model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that only knows MLflow gets from the model."""
    folder = tmp_path_factory.mktemp("loaded")
    (folder / "script.py").write_text(LOADED)
    done = subprocess.run(
        [sys.executable, "script.py", str(model), str(estimators.root / "test.csv")],
        cwd=folder,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_predicts_what_was_predicted_in_training(loaded: dict[str, Any], estimators: Trained) -> None:
    whole = loaded["whole"]
    assert whole["id"] == [f"{i:04d}" for i in range(40)]
    np.testing.assert_allclose(whole["bought"], estimators.expected(**WEIGHTS)[:, 0], rtol=1e-12)


def test_neither_order_nor_neighbours_nor_further_columns_matter(loaded: dict[str, Any]) -> None:
    assert loaded["shuffled"]["id"] == loaded["whole"]["id"]
    np.testing.assert_allclose(loaded["shuffled"]["bought"], loaded["whole"]["bought"], rtol=1e-12)
    np.testing.assert_allclose(loaded["single"]["bought"], loaded["whole"]["bought"][:10], rtol=1e-12)
    assert loaded["nothing"] == {"id": [], "bought": []}


def test_whole_numbers_may_come_as_ints_or_floats(loaded: dict[str, Any]) -> None:
    values = dict(zip(loaded["whole"]["id"], loaded["whole"]["bought"], strict=True))
    assert 20 < len(loaded["whole_numbers"]["id"]) < 40
    for identifier, value in zip(loaded["whole_numbers"]["id"], loaded["whole_numbers"]["bought"], strict=True):
        assert value == values[identifier]


def test_the_input_example_is_raw_rows_and_can_be_served(loaded: dict[str, Any]) -> None:
    np.testing.assert_allclose(loaded["example"]["bought"], loaded["whole"]["bought"][:5], rtol=1e-12)
    np.testing.assert_allclose(loaded["served"]["bought"], loaded["whole"]["bought"][:5], rtol=1e-12)


def test_it_runs_on_the_code_that_it_carries_without_keras(loaded: dict[str, Any], model: Path) -> None:
    assert Path(loaded["code"]) == model / "code" / "workbench" / "__init__.py"
    assert loaded["modules"] == []


def test_it_is_complete_and_holds_no_pickle_and_no_path_of_this_machine(model: Path, estimators: Trained) -> None:
    files = [path for path in model.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".joblib", ".pyc")]
    blend = model / "artifacts" / "blend"
    assert (blend / "code/0/factories.py").read_text() == (estimators.root / "experiment/factories.py").read_text()
    assert (blend / "code/0/helpers.py").is_file()
    for path in files:
        if path.suffix in (".json", ".yaml", ".txt") or path.name == "MLmodel":
            assert str(estimators.root) not in path.read_text(), path


def test_members_are_stored_with_their_configurations(model: Path, estimators: Trained) -> None:
    about = BlendFile.model_validate_json((model / "artifacts/blend/members.json").read_text())
    assert {m.trial.family: m.trial.weight for m in about.members} == WEIGHTS
    assert {m.trial.family: m.trial.values for m in about.members} == {
        family: result.values for family, result in estimators.results.items()
    }
    assert about.backend is None


def test_requirements_are_pinned_to_what_is_installed(model: Path) -> None:
    import lightgbm
    import sklearn

    pins = (model / "requirements.txt").read_text().split()
    assert {f"lightgbm=={lightgbm.__version__}", f"scikit-learn=={sklearn.__version__}"} <= set(pins)
    assert all("==" in pin and "/" not in pin for pin in pins)
    assert not {pin.partition("==")[0] for pin in pins} & {"keras", "jax", "xgboost", "workbench"}


def test_a_file_is_predicted_like_the_table(loaded: dict[str, Any]) -> None:
    assert loaded["file"] == loaded["whole"]


@pytest.mark.parametrize(
    ("case", "kind", "message"),
    [
        ("column", "DataError", "city"),
        ("cells", "DataError", "column 'income' is numeric, expected numbers"),
        ("folder", "ConfigError", "no model at 'nowhere'"),
        ("registry", "ConfigError", "model 'models:/shop@champion' cannot be loaded"),
    ],
)
def test_what_cannot_be_predicted_is_told_and_nothing_is_written(
    loaded: dict[str, Any], case: str, kind: str, message: str
) -> None:
    assert loaded["errors"][case][0] == kind
    assert message in loaded["errors"][case][1]
    assert not loaded["written"]


def test_an_installed_package_that_has_changed_does_not_break_an_old_model(
    model: Path, estimators: Trained, tmp_path: Path
) -> None:
    """`workbench predict` runs the model's copy: here it was made to say so by answering with a constant."""
    old = tmp_path / "old"
    shutil.copytree(model, old)
    module = old / "code/workbench/delivery/frozen_blend.py"
    constant = module.read_text().replace("return self.fitted.predict(", "return 0.25 + 0 * self.fitted.predict(")
    module.write_text(constant)
    out = predict_in_process(str(old), estimators.root / "test.csv", tmp_path / "out.csv")
    np.testing.assert_allclose(pd.read_csv(out)["bought"], 0.25)


def test_errors_cross_the_process(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model at 'nowhere'"):
        predict_in_process("nowhere", tmp_path / "rows.csv", tmp_path / "out.csv")
    with pytest.raises(UserError, match=r"^.*rows\.csv does not exist"):
        predict_in_process(str(model), tmp_path / "rows.csv", tmp_path / "out.csv")


def test_a_member_without_its_bundle_is_named(estimators: Trained, tmp_path: Path) -> None:
    asked = spec(estimators, tmp_path / "model", lightgbm=1.0).model_copy(update={"splits": 4})
    with pytest.raises(StoreError, match=r"lightgbm#0000 cannot be exported.*split3.*fit this trial again"):
        export_in_process(asked)
    assert list(tmp_path.glob("*model*")) == []


def test_a_blend_without_weight_is_nothing_to_deliver(estimators: Trained, tmp_path: Path) -> None:
    with pytest.raises(NothingToDeliver, match="no member with weight"):
        export_in_process(spec(estimators, tmp_path / "model", lightgbm=0.0))


def test_a_damaged_model_says_which_file(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model / "artifacts/blend", tmp_path / "blend")
    (tmp_path / "blend/members.json").write_text("{")
    with pytest.raises(StoreError, match=r"members\.json cannot be read"):
        FrozenBlend.open(tmp_path / "blend")


@pytest.mark.keras
def test_a_blend_with_a_keras_member_predicts_the_same_in_a_fresh_process(tmp_path: Path) -> None:
    """Export replaces what is there; rows are predicted to a relative 1e-5 of what the training predicted."""
    trained = train(tmp_path, {"lightgbm": built_in("lightgbm"), "mlp": built_in("mlp")})
    weights = {"lightgbm": 0.4, "mlp": 0.6}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    folder = export_in_process(spec(trained, tmp_path / "model", **weights))
    assert not (folder / "old").exists()
    table = raw_table(40, 1)
    expected = dict(zip(table["id"], trained.expected(**weights)[:, 0], strict=True))
    table.sample(frac=1, random_state=0).iloc[:33].to_csv(tmp_path / "rows.csv", index=False)
    out = pd.read_csv(predict_in_process(str(folder), tmp_path / "rows.csv", tmp_path / "out.csv"), dtype={"id": str})
    np.testing.assert_allclose(out["bought"], [expected[i] for i in out["id"]], rtol=1e-5)
    assert "jax==" in (folder / "requirements.txt").read_text()


def test_an_error_of_ours_comes_with_its_traceback(estimators: Trained, tmp_path: Path) -> None:
    asked = spec(estimators, tmp_path / "model", lightgbm=1.0).model_copy(update={"example": Path("/nowhere.csv")})
    with pytest.raises(UserError, match="nowhere"):
        export_in_process(asked)
    broken = asked.model_copy(update={"experiment": None, "splits": "many"})
    with pytest.raises(WorkbenchError, match="Traceback"), pytest.warns(UserWarning, match="serializ"):
        export_in_process(broken)
