"""What `workbench init` writes: files that load, that can be edited, and that are all there or none."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from sklearn.base import is_classifier, is_regressor
from typer.testing import CliRunner

from workbench import registry
from workbench.cli import app
from workbench.config import ExperimentConfig, config_from_mapping, read_config
from workbench.config.models import (
    DEFAULT_FAMILIES,
    DataConfig,
    EnsembleConfig,
    FoldsConfig,
    SearchConfig,
    TrackingConfig,
    TrainingConfig,
)
from workbench.config.source import Source
from workbench.config.yaml_text import parse
from workbench.data import load_dataset, make_plan
from workbench.errors import ConfigError, DataError
from workbench.models.hyperparameters import HyperParameters
from workbench.models.problem import Problem
from workbench.scaffold import Tables, create, show
from workbench.scaffold.proof import prove
from workbench.scaffold.yaml_lines import scalar


def test_the_file_says_what_was_inferred_and_loads(begin, houses, tmp_path) -> None:
    begin(*houses)
    text = (tmp_path / "new" / "experiment.yaml").read_text(encoding="utf-8")
    assert "  target: price  # the only column that the test table lacks" in text
    assert '    # "town: of old": categorical  # 3 values such as' in text
    config, root = read_config(tmp_path / "new")
    assert config.data.train == Path("../train.csv")
    assert config.families == DEFAULT_FAMILIES
    data = load_dataset(config, root, "values")
    assert make_plan(data, config.folds, config.seed).splits == 5


def test_every_key_is_there_to_be_edited(begin, houses) -> None:
    text = begin(*houses).files[0].read_text(encoding="utf-8")
    models = (ExperimentConfig, DataConfig, FoldsConfig, SearchConfig, TrainingConfig, EnsembleConfig, TrackingConfig)
    keys = {name for model in models for name in model.model_fields} - {"version"}
    assert {key for key in keys if not re.search(rf"^ *(# )?{key}:", text, re.MULTILINE)} == set()


def test_tables_far_away_are_named_by_their_whole_path(begin, houses, tmp_path) -> None:
    begin(*houses)
    deep = tmp_path / "a" / "b" / "c" / "d"
    create(deep, Tables(tmp_path / "train.csv", target="price"))
    assert read_config(deep)[0].data.train == tmp_path / "train.csv"


def test_what_is_there_is_not_replaced_unless_told_to(begin, houses, tmp_path) -> None:
    begin(*houses)
    folder = tmp_path / "new"
    (folder / ".gitignore").write_text("mine\n")
    (folder / "features.py").write_text("mine = 1\n")
    (folder / "experiment.yaml").unlink()
    tables = Tables(tmp_path / "train.csv", tmp_path / "test.csv")
    with pytest.raises(ConfigError, match=r"already holds features.py, factories.py; --force replaces them"):
        create(folder, tables)
    assert not (folder / "experiment.yaml").exists()
    create(folder, tables, force=True)
    assert (folder / ".gitignore").read_text() == "mine\n"
    assert "feature_set" in (folder / "features.py").read_text()
    assert sorted(path.name for path in folder.iterdir()) == [
        ".gitignore",
        "experiment.yaml",
        "factories.py",
        "factories.py.bak",
        "features.py",
        "features.py.bak",
    ]


def test_what_is_no_file_is_not_replaced(begin, houses, tmp_path) -> None:
    begin(*houses)
    folder, tables = tmp_path / "new", Tables(tmp_path / "train.csv", tmp_path / "test.csv")
    (folder / "experiment.yaml").write_text("mine\n")
    (folder / "features.py").unlink()
    (folder / "features.py").mkdir()
    with pytest.raises(ConfigError, match=r"holds features.py, which is no regular file; move it away"):
        create(folder, tables, force=True)
    (folder / "features.py").rmdir()
    (folder / "features.py").symlink_to(tmp_path / "nowhere.py")
    for force in (False, True):
        with pytest.raises(ConfigError, match=r"holds features.py, which is no regular file"):
            create(folder, tables, force=force)
    assert (folder / "experiment.yaml").read_text() == "mine\n"


def test_a_table_that_cannot_be_read_leaves_nothing_behind(tmp_path) -> None:
    (tmp_path / "train.csv").write_text("a,b\n1,2,3\n")
    with pytest.raises(DataError, match="expected 2 fields as in the header, got 3"):
        create(tmp_path / "new", Tables(tmp_path / "train.csv", target="b"))
    with pytest.raises(ConfigError, match="is a file; expected the folder of an experiment"):
        create(tmp_path / "train.csv", Tables(tmp_path / "train.csv"))
    assert not (tmp_path / "new").exists()


def test_another_encoding_is_told_and_written(tmp_path) -> None:
    rows = "".join(f"{number},{town},{number % 2}\n" for number, town in enumerate(["Köln", "Ulm"] * 20))
    (tmp_path / "train.csv").write_text(f"x,town,y\n{rows}", encoding="cp1252")
    with pytest.raises(DataError, match=r"probably it is cp1252, .*'0,Köln,0'.* \(for workbench init: --encoding\)"):
        create(tmp_path / "new", Tables(tmp_path / "train.csv", target="y"))
    create(tmp_path / "new", Tables(tmp_path / "train.csv", target="y", encoding="cp1252"))
    config, root = read_config(tmp_path / "new")
    assert config.data.encoding == "cp1252"
    assert set(load_dataset(config, root, "probabilities").features["town"]) == {"Köln", "Ulm"}


def test_a_sample_submission_of_other_rows_is_refused(begin, houses) -> None:
    train, test = houses
    with pytest.raises(DataError, match="the sample submission asks for 300 ids that the test table does not have"):
        begin(train, test, pd.DataFrame({"house_id": test["house_id"] + 1000, "price": 0.0}))


def test_the_feature_set_works_each_row_out_from_itself(begin, houses, tmp_path) -> None:
    begin(*houses)
    config, root = read_config(tmp_path / "new", ["features=v1"])
    frame = load_dataset(config, root, "values").raw("train").iloc[:40]
    v1 = registry.load("features:v1", root)
    whole = v1(frame.copy())
    assert set(whole.columns) - set(frame.columns) == {"cells missing", "area per built", "owner length"}
    alone = pd.concat([v1(frame.iloc[[row]].copy()) for row in range(len(frame))])
    pd.testing.assert_frame_equal(whole, alone)


@pytest.mark.parametrize("regression", [True, False])
def test_the_forest_fits_the_task(begin, houses, tmp_path, regression: bool) -> None:
    train, test = houses
    begin(train if regression else train.assign(price=train["price"] > 100_000), test)
    task = "regression" if regression else "binary"
    forest = registry.load("factories:forest", tmp_path / "new")(HyperParameters(), Problem(task=task, metric="mae"))
    assert (is_regressor if regression else is_classifier)(forest)


@pytest.mark.keras
def test_the_network_is_built(begin, houses, tmp_path) -> None:
    from workbench.types import InputSchema

    begin(*houses)
    schema = InputSchema(numeric=("area",), categorical=("town",), sizes=(4,))
    problem = Problem(task="regression", metric="rmse", schema=schema, rows=600)
    network = registry.load("factories:network", tmp_path / "new")(HyperParameters(), problem)
    rows = {"numeric": np.zeros((2, 1), "float32"), "categorical": np.zeros((2, 1), "int32")}
    assert network.predict(rows, verbose=0).shape == (2, 1)


def test_cells_cannot_end_the_comment_that_shows_them(begin, houses, tmp_path) -> None:
    train, test = houses
    odd = ["one\nb: 1", "a\u2028tracking: {mlflow: x}", "a\x85b\x1b[31m: 2"]
    cells = {f"cells {number}": [first, *[f"{first}{i % 9}" for i in range(599)]] for number, first in enumerate(odd)}
    scaffold = begin(train.assign(**cells), test.assign(**{name: cells[name][:300] for name in cells}))
    text = (tmp_path / "new" / "experiment.yaml").read_text(encoding="utf-8")
    assert "values such as one b: 1" in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert read_config(tmp_path / "new")[0].tracking == TrackingConfig()
    console = Console(width=120, file=io.StringIO())
    show(console, scaffold)
    assert all(line.isprintable() for line in console.file.getvalue().split("\n"))


def test_a_column_of_any_name_is_used_by_the_feature_set(begin, houses, tmp_path) -> None:
    train, test = (table.rename(columns={"area": 'Preis\x85 \u2028k\U000e0001"$x'}) for table in houses)
    begin(train, test)
    config, root = read_config(tmp_path / "new", ["features=v1"])
    frame = load_dataset(config, root, "values").raw("train")
    whole = registry.load("features:v1", root)(frame.copy())
    assert 'Preis\x85 \u2028k\U000e0001"$x per built' in whole.columns


def test_what_cannot_be_read_is_not_written(begin, houses) -> None:
    text = begin(*houses).files[0].read_text(encoding="utf-8")
    config = config_from_mapping(parse(text, Source("test")).value)
    prove({"experiment.yaml": text, "features.py": "x = 1"}, config)
    with pytest.raises(ConfigError, match=r"experiment\.yaml of workbench init, line 2"):
        prove({"experiment.yaml": "metric: rmse\n- a"}, config)
    with pytest.raises(RuntimeError, match="does not say what was inferred"):
        prove({"experiment.yaml": f"{text}seed: 12345\n"}, config)
    with pytest.raises(RuntimeError, match=r"features\.py that Python cannot read"):
        prove({"features.py": "x ="}, config)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn"]), max_size=20))
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    document = parse(f"{scalar(text)}: {scalar([text, 1.5, True])}", Source("test"))
    assert document.value == {text: [text, 1.5, True]}


@pytest.mark.parametrize("text", [".5", ".5e3", "no", "1e3", ".inf", "~", "..", "a: b", "a #b", "\x1b[2J", "a\u2028b"])
def test_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert parse(scalar(text), Source("test")).value == text
    assert scalar(text).startswith('"')


@pytest.mark.parametrize("width", [80, 120])
def test_what_is_printed_fits_the_terminal(begin, houses, width: int) -> None:
    console = Console(width=width, file=io.StringIO())
    show(console, begin(*houses))
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "Training table: 600 rows, 8 columns. Test table: 300 rows."
    commands = ("  workbench", "wrote")
    assert all(len(line) <= width for line in lines if not line.startswith(commands))
    assert any(line.startswith("  workbench run ") for line in lines)


def test_the_command_on_a_real_table(shared_data, tmp_path) -> None:
    titanic = shared_data("titanic")
    told = ["--train", str(titanic / "train.csv"), "--test", str(titanic / "test_unlabelled.csv")]
    result = CliRunner().invoke(app, ["init", str(tmp_path / "titanic"), *told, "--metric", "accuracy"])
    assert result.exit_code == 0, result.output
    assert "data.id      PassengerId" in result.output
    config, _ = read_config(tmp_path / "titanic")
    assert (config.data.target, config.data.id, config.metric) == ("Survived", "PassengerId", "accuracy")
