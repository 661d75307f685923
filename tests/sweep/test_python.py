"""From Python: a script without a guard, and a notebook, each with a factory of its own."""

import json
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from tests.sweep.conftest import write_tables

SCRIPT = """\
import json

import pandas as pd
from sklearn.linear_model import LogisticRegression

import workbench

STRENGTHS = (1e-3, 10.0)


def logistic(hp, problem):
    return LogisticRegression(C=hp.Float("c", *STRENGTHS, sampling="log"), max_iter=500)


def confidence(y, p):
    return abs(y - p).mean()


experiment = workbench.Experiment(
    pd.read_csv("train.csv"),
    test=pd.read_csv("test.csv"),
    target="y",
    id="id",
    metric=workbench.Metric("confidence", confidence, "minimize", "probabilities"),
    families=["dummy", logistic],
    folds={"splits": 3},
    search={"trials": 3},
)
result = workbench.run(experiment)
print(json.dumps({"trials": result.trials, "members": [m.trial for m in result.members], "metric": result.metric}))
"""

CELLS = (
    "import pandas as pd, keras, workbench",
    """\
def hidden(x, width):
    return keras.layers.Dense(width, activation="relu")(x)

def net(hp, problem):
    x = hidden(problem.encode(hp), hp.Int("width", 4, 16))
    model = keras.Model(problem.inputs, problem.head(x))
    model.compile(keras.optimizers.Adam(0.01), loss=problem.loss)
    return model
""",
    """\
experiment = workbench.Experiment(
    pd.read_csv("train.csv"), test=pd.read_csv("test.csv"), target="y", id="id", metric="auc",
    families=["dummy", net], folds={"splits": 2}, search={"trials": 2}, training={"epochs": 3},
)
result = workbench.run(experiment)
""",
    "print(result.trials, result.paths.submission.exists())",
)


@pytest.mark.slow
def test_a_script_without_a_guard_searches_its_own_factory_by_its_own_metric(tmp_path):
    write_tables(tmp_path)
    (tmp_path / "search.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "search.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    came = json.loads(done.stdout.splitlines()[-1])
    assert came["trials"] == {"dummy": {"complete": 1}, "logistic": {"complete": 3}}
    assert came["metric"] == "confidence"
    assert all(member.startswith("logistic#") for member in came["members"])


@pytest.mark.slow
def test_a_notebook_searches_a_keras_factory_of_its_cells(tmp_path):
    write_tables(tmp_path)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    where = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    printed = "".join(output.get("text", "") for output in notebook.cells[-1].outputs)
    assert printed == "{'dummy': {'complete': 1}, 'net': {'complete': 2}} True\n"
