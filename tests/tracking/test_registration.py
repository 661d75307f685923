from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from tests.tracking import story
from workbench.store.ledger import Ledger
from workbench.tracking.mlflow_projection import MlflowProjection
from workbench.tracking.mlflow_store import process_store
from workbench.tracking.projector import replay

pytestmark = [
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),  # MLflow 3.17 with SQLAlchemy 2.1
    pytest.mark.filterwarnings("ignore:.*type hint:UserWarning"),  # MLflow's advice on writing models
]

MODEL = """
import mlflow
import numpy as np
import pandas as pd

class Sum(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None) -> np.ndarray:
        return np.asarray(model_input).sum(axis=1)

mlflow.models.set_model(Sum())
"""


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete local MLflow model, made from code."""
    import mlflow

    folder = tmp_path_factory.mktemp("model")
    (folder / "sum.py").write_text(MODEL)
    mlflow.pyfunc.save_model(folder / "model", python_model=str(folder / "sum.py"), pip_requirements=["mlflow"])
    return folder / "model"


def begin(ledger: Ledger, store: Path, uri: str) -> MlflowProjection:
    ledger.append(story.sweep_started())
    ledger.append(story.blend(story.member(1, 1.0)))
    projection = MlflowProjection(ledger, uri, store)
    replay(ledger, [projection])
    return projection


def export(ledger: Ledger, projection: MlflowProjection, model: Path, **given: Any) -> None:
    position = ledger.append(story.exported(model, **given))
    replay(ledger, [projection], after=position - 1)


def champion(uri: str) -> str:
    return str(MlflowClient(tracking_uri=uri).get_model_version_by_alias("loans", "champion").version)


def test_an_exported_model_is_logged_registered_and_loads(ledger: Ledger, store: Path, uri: str, model: Path) -> None:
    import mlflow

    projection = begin(ledger, store, uri)
    export(ledger, projection, model)
    client = MlflowClient(tracking_uri=uri)
    version = client.get_model_version_by_alias("loans", "champion")
    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    assert logged.status == "READY"
    run = client.get_run(logged.source_run_id)
    assert run.info.run_name == "0001.blend nelder_mead"
    assert [output.model_id for output in run.outputs.model_outputs] == [logged.model_id]
    assert {name: value for name, value in version.tags.items() if name not in {"wb.key", "wb.decision"}} == {
        "wb.data": "d1",
        "wb.folds": "p1",
        "wb.metric": "accuracy",
        "wb.score": "0.82",
        "wb.sweep": "0001",
    }
    with process_store(uri):
        loaded = mlflow.pyfunc.load_model("models:/loans@champion")
    np.testing.assert_array_equal(loaded.predict(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})), [4.0, 6.0])


@pytest.mark.parametrize(
    ("challenger", "wins", "decision"),
    [
        ({"score": 0.83}, True, "champion: 0.83 is better than 0.82"),
        ({"score": 0.82}, False, "kept version 1: 0.82 is not better"),
        ({"score": 0.81}, False, "kept version 1: 0.81 is not better"),
        ({"score": float("nan")}, False, "kept version 1"),
        ({"score": 0.9, "data_key": "d2"}, False, "kept version 1: scored on another data"),
        ({"score": 0.9, "plan_key": "p2"}, False, "kept version 1: scored on another fold plan"),
        ({"score": 0.9, "metric": "auc"}, False, "kept version 1: scored on another metric"),
    ],
)
def test_the_champion_changes_only_for_a_better_score_on_the_same(
    ledger: Ledger, store: Path, uri: str, model: Path, challenger: dict[str, Any], wins: bool, decision: str
) -> None:
    projection = begin(ledger, store, uri)
    export(ledger, projection, model)
    export(ledger, projection, model, **challenger)
    assert champion(uri) == ("2" if wins else "1")
    tags = MlflowClient(tracking_uri=uri).get_model_version("loans", "2").tags
    assert tags["wb.decision"].startswith(decision)


def test_lower_is_better_where_the_metric_says_so(ledger: Ledger, store: Path, uri: str, model: Path) -> None:
    projection = begin(ledger, store, uri)
    export(ledger, projection, model, score=0.5, direction="minimize")
    export(ledger, projection, model, score=0.4, direction="minimize")
    export(ledger, projection, model, score=0.6, direction="minimize")
    assert champion(uri) == "2"


def test_a_replay_registers_nothing_twice_and_leaves_a_moved_alias(
    ledger: Ledger, store: Path, uri: str, model: Path
) -> None:
    projection = begin(ledger, store, uri)
    export(ledger, projection, model)
    export(ledger, projection, model, score=0.9)
    client = MlflowClient(tracking_uri=uri)
    client.set_registered_model_alias("loans", "champion", "1")  # by a person
    replay(ledger, [MlflowProjection(ledger, uri, store)])
    assert len(client.search_model_versions("name = 'loans'")) == 2
    experiment = client.get_experiment_by_name("loans")
    assert experiment is not None
    assert len(client.search_logged_models([experiment.experiment_id])) == 2
    run = client.get_run(client.get_model_version("loans", "1").run_id)
    assert len(run.outputs.model_outputs) == 2
    assert champion(uri) == "1"


def test_a_model_whose_folder_is_gone_is_passed_over(ledger: Ledger, store: Path, uri: str, tmp_path: Path) -> None:
    projection = begin(ledger, store, uri)
    export(ledger, projection, tmp_path / "gone")
    assert list(MlflowClient(tracking_uri=uri).search_registered_models()) == []
