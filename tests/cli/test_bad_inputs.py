"""What people get wrong: files, configurations, factories, feature sets. Each is told in one message, with a way out.

Every case is a small experiment that would run, with one thing spoilt. `said` are parts of the message.
"""

import gzip
from dataclasses import dataclass, field

import pytest
import yaml
from typer.testing import CliRunner

from workbench.cli import app

ROWS = [f"{i},{i * 7 % 11},{'red' if i % 3 else 'blue'},{i % 2}" for i in range(40)]
TRAIN = "\n".join(["id,size,colour,y", *ROWS]) + "\n"
TEST = "\n".join(["id,size,colour", *(row.rpartition(",")[0] for row in ROWS[:10])]) + "\n"
SKLEARN = "from sklearn.tree import DecisionTreeClassifier\n\ndef tree(hp, problem):\n    "
FEATURES = "from workbench import feature_set\n\n@feature_set\n"


@dataclass
class Bad:
    """A case: what is other than in the sound experiment, and what must be said about it."""

    said: list[str]
    files: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    text: str | None = None
    """The whole of experiment.yaml."""


def tree(body):
    """An experiment with a factory of its own."""
    return {"files": {"factories.py": SKLEARN + body}, "config": {"families": ["factories:tree"]}}


def features(code, name="v1"):
    return {"files": {"features.py": code}, "config": {"features": name, "families": ["linear"]}}


def replaced(row, column, cell, table=TRAIN):
    """The table with one cell changed; rows are counted from 1."""
    lines = [line.split(",") for line in table.splitlines()]
    lines[row][lines[0].index(column)] = cell
    return "\n".join(map(",".join, lines)) + "\n"


CASES = {
    # --- files ---
    "no such file": Bad(["no file", "train.csw", "Did you mean 'train.csv'"], data={"train": "train.csw"}),
    "empty file": Bad(["train.csv is empty", "a line of column names"], {"train.csv": ""}),
    "no rows": Bad(["has no rows"], {"train.csv": "id,size,colour,y\n"}),
    "ragged line": Bad(["line 42", "expected 4 fields", "got 6"], {"train.csv": TRAIN + "1,2,red,0,5,6\n"}),
    "short line": Bad(["line 42", "got 2", "is the file whole"], {"train.csv": TRAIN + "1,2\n"}),
    "cp1252": Bad(
        ["not UTF-8", "cp1252", "data.encoding"], {"train.csv": TRAIN.replace("blue", "bläulich").encode("cp1252")}
    ),
    "UTF-16": Bad(["UTF-16", "data.encoding: utf-16"], {"train.csv": TRAIN.encode("utf-16")}),
    "semicolons": Bad(["separated by ';'"], {"train.csv": TRAIN.replace(",", ";")}),
    "a column twice": Bad(["column names must differ", "'size'"], {"train.csv": TRAIN.replace("colour", "size", 1)}),
    "half a gzip": Bad(
        ["not a whole gzip"], {"train.csv.gz": gzip.compress(TRAIN.encode())[:-20]}, data={"train": "train.csv.gz"}
    ),
    "a gap in the target": Bad(["target 'y' is empty", "rows (5)"], {"train.csv": replaced(5, "y", "")}),
    "constant target": Bad(
        ["every row", "nothing to predict"], {"train.csv": "id,size,y\n" + "".join(f"{i},{i},1\n" for i in range(20))}
    ),
    "an id twice": Bad(["must differ in every row", "data.group"], {"train.csv": replaced(5, "id", "7")}),
    "infinity": Bad(["'size'", "infinite", "row 3"], {"train.csv": replaced(3, "size", "inf")}),
    "text among numbers of the test table": Bad(
        ["'size' is numeric", "'12 cm' in row 2"], {"test.csv": replaced(2, "size", "12 cm", TEST)}
    ),
    "test table without a column": Bad(
        ["lacks a column", "'colour'", "Did you mean 'color'"], {"test.csv": TEST.replace("colour", "color")}
    ),
    "sample submission of other rows": Bad(
        ["sample submission"],
        {"sample.csv": "id,y\n" + "".join(f"{i},0\n" for i in range(500, 510))},
        data={"sample_submission": "sample.csv"},
    ),
    "extra rows without a column": Bad(
        ["extra.csv", "lacks", "'colour'"], {"extra.csv": "id,size,y\n1,2,0\n"}, data={"extra": "extra.csv"}
    ),
    # --- configurations ---
    "tabs in YAML": Bad(["line 2", "tab"], text="data:\n\ttrain: train.csv\n"),
    "unknown key": Bad(["'metrik'", "Did you mean 'metric'"], config={"metrik": "auc"}),
    "unknown metric": Bad(["'acuracy'", "Did you mean 'accuracy'"], config={"metric": "acuracy"}),
    "unknown family": Bad(["'lightgmb'", "Did you mean 'lightgbm'"], config={"families": ["lightgmb"]}),
    "unknown preparation": Bad(
        ["'onehot'", "Did you mean 'one_hot'"], config={"families": [{"name": "linear", "preparation": "onehot"}]}
    ),
    "unknown target": Bad(["no column 'Y'", "Did you mean 'y'"], data={"target": "Y"}),
    "unknown encoding": Bad(["'utf8x'", "Did you mean"], data={"encoding": "utf8x"}),
    "trials: true": Bad(["search.trials", "expected an integer", "true"], config={"search": {"trials": True}}),
    "groups without a column": Bad(["data.group names no column"], config={"folds": {"kind": "group"}}),
    "more folds than rows": Bad(["folds.splits"], config={"folds": {"kind": "kfold", "splits": 60}}),
    "unknown fold column": Bad(["'fold'", "folds.column"], config={"folds": {"column": "fold"}}),
    "a metric for two classes": Bad(
        ["f1 needs two classes", "f1_macro"], {"train.csv": replaced(3, "y", "2")}, config={"metric": "f1"}
    ),
    # --- factories ---
    "no such factory": Bad(
        ["'trees'", "Did you mean 'tree'"], tree("return None")["files"], config={"families": ["factories:trees"]}
    ),
    "factory that raises": Bad(
        ["tree", "ZeroDivisionError"], **tree("return DecisionTreeClassifier(max_depth=1 // 0)")
    ),
    "factory that returns nothing": Bad(["'tree' returned None", "expected a compiled model"], **tree("return None")),
    "factory with a syntax error": Bad(["factories.py", "line 4"], **tree("return (")),
    "no probabilities": Bad(
        ["no predict_proba", "CalibratedClassifierCV"],
        **tree("from sklearn.svm import LinearSVC; return LinearSVC()"),
    ),
    "empty range": Bad(
        ["max_depth", "9"], **tree("return DecisionTreeClassifier(max_depth=hp.Int('max_depth', 9, 1))")
    ),
    # --- feature sets ---
    "no such feature set": Bad(
        ["no feature set 'v9'", "it has v1"], **features(FEATURES + "def v1(frame):\n    return frame\n", "v9")
    ),
    "feature set that raises": Bad(
        ["v1", "KeyError", "'weight'"],
        **features(FEATURES + "def v1(frame):\n    return frame.assign(w=frame['weight'])\n"),
    ),
    "feature set that loses rows": Bad(
        ["v1", "rows"], **features(FEATURES + "def v1(frame):\n    return frame[frame['size'] > 3]\n")
    ),
    "feature set that looks at other rows": Bad(
        ["v1", "'rank'", "other rows"],
        **features(FEATURES + "def v1(frame):\n    return frame.assign(rank=frame['size'].rank())\n"),
    ),
    "feature set that returns no table": Bad(
        ["v1", "DataFrame", "ndarray"], **features(FEATURES + "def v1(frame):\n    return frame.to_numpy()\n")
    ),
    "feature set that was not marked": Bad(["v1", "feature_set"], **features("def v1(frame):\n    return frame\n")),
    "transformer without transform": Bad(
        ["v1", "transform"], **features(FEATURES + "class v1:\n    def fit(self, frame, y):\n        return self\n")
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_bad_input(case, tmp_path):
    config = {
        "data": {"train": "train.csv", "test": "test.csv", "target": "y", "id": "id", **case.data},
        "metric": "accuracy",
        "families": ["dummy"],
        "training": {"executor": "inline"},
        "search": {"trials": 1},
        "tracking": {"tensorboard": False},
        **case.config,
    }
    text = yaml.safe_dump(config) if case.text is None else case.text
    for name, content in {"train.csv": TRAIN, "test.csv": TEST, "experiment.yaml": text, **case.files}.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    result = CliRunner().invoke(app, ["run", str(tmp_path)])
    message = " ".join(result.stderr.split())
    assert result.exit_code == 2, (message, result.output, result.exception)
    assert message.startswith("error: "), message
    assert "Traceback" not in message
    for part in case.said:
        assert part in message, message
    assert not (tmp_path / ".workbench" / "sweeps").exists() or not any((tmp_path / ".workbench" / "sweeps").iterdir())
