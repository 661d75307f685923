"""Reading an experiment: what is right is read, and what is wrong is told with file, line, key path and a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from workbench.config import ExperimentConfig, config_from_mapping, read_config
from workbench.config.yaml_text import MAX_BYTES
from workbench.errors import ConfigError

SMALLEST = "data: {train: train.csv, target: y}\nmetric: auc\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text("x,y\n1,0\n")
    (tmp_path / "experiment.yaml").write_text(SMALLEST)
    return tmp_path


def read(folder: Path, text: str, *overrides: str) -> ExperimentConfig:
    (folder / "experiment.yaml").write_text(text, encoding="utf-8")
    return read_config(folder, overrides)[0]


def told(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, *overrides)
    return str(caught.value)


def test_the_smallest_file_names_train_target_and_metric(folder: Path) -> None:
    config, root = read_config(folder)
    assert (config.data.target, config.metric, root) == ("y", "auc", folder.resolve())
    assert [family.name for family in config.family_configs] == ["dummy", "linear", "lightgbm", "xgboost", "mlp"]


def test_a_file_may_have_any_name_and_lies_in_the_root(folder: Path) -> None:
    (folder / "other.yaml").write_text(SMALLEST.replace("auc", "log_loss"))
    config, root = read_config(folder / "other.yaml")
    assert (config.metric, root) == ("log_loss", folder.resolve())


def test_the_root_is_absolute_and_the_folder_may_be_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert read_config(Path(folder.name))[1] == folder.resolve()


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(folder: Path) -> None:
    (folder / "experiment.yaml").write_bytes(b"\xef\xbb\xbf" + SMALLEST.replace("\n", "\r\n").encode())
    assert read_config(folder)[0].metric == "auc"


def test_a_section_without_entries_has_its_defaults(folder: Path) -> None:
    assert read(folder, SMALLEST + "search:\n  # trials: 5\nfolds:\n").search.trials == 20


def test_yes_and_no_are_truth_values_where_one_is_expected_and_text_elsewhere(folder: Path) -> None:
    config = read(
        folder, "data: {train: train.csv, target: no, positive: yes}\nmetric: auc\ntracking: {tensorboard: no}"
    )
    assert (config.data.target, config.data.positive, config.tracking.tensorboard) == ("no", "yes", False)


MISTAKES = [
    ("data: {train: train.csv, target: y, taget: y}", "line 1, data.taget", "Did you mean 'target'?"),
    ("trials: 5", "line 3, trials", "Did you mean 'search.trials'?"),
    ("sead: 5", "line 3, sead", "Did you mean 'seed'?"),
    ("search:\n  trials: many", "line 4, search.trials", "expected an integer, received 'many' (text)"),
    ("search: {trials: true}", "line 3, search.trials", "expected an integer, received true"),
    ("search: {trials: 0}", "search.trials", "expected a number greater than 0, received 0 (integer)"),
    ("search: {time: .inf}", "search.time", "expected a finite number, received inf (number)"),
    (
        "search: {time: 5 parsecs}",
        "search.time",
        "'5 parsecs' is not a time: expected seconds, or something like 90s, 5m, 1h30m",
    ),
    ("folds: {splits: 1}", "folds.splits", "expected a number at least 2, received 1"),
    ("folds: {kind: startified}", "folds.kind", "Did you mean 'stratified'?"),
    ("folds: 5", "line 3, folds", "expected a mapping, received 5 (integer)"),
    ("task: classify", "task", "expected 'binary', 'multiclass' or 'regression', received 'classify'"),
    ("families: mlp", "line 3, families", "expected a list, received 'mlp' (text). Write [mlp]"),
    ("families: []", "families", "expected at least 1 entry, received a list of 0"),
    ("families: [dummy, xgbost]", "line 3, families.1", "Did you mean 'xgboost'?"),
    ("families:\n  - dummy\n  - name: mlpp", "line 5, families.1.name", "Did you mean 'mlp'?"),
    ("families: [{name: mlp, trails: 5}]", "families.0.trails", "Did you mean 'trials'?"),
    ("families: [{name: mlp, preparation: scale}]", "families.0.preparation", "Did you mean 'scaled'?"),
    ("families: [{name: mine, factory: factories}]", "families.0.factory", "is written 'factories:my_model'"),
    ("families: ['factories:']", "families.0", "a built-in's name or 'module:attribute'"),
    ("families: [7]", "families.0", "received 7 (integer)"),
    ("families: [mlp, mlp]", "", "two families are called 'mlp'; give one of them another name"),
    ("training: {backend: tensorflow, deterministic: true, jit_compile: true}", "", "jit_compile are both true"),
    ("search: {engine: optun}", "search.engine", "Did you mean 'optuna'?"),
    ("ensemble: {method: nelder_maed}", "ensemble.method", "Did you mean 'nelder_mead'?"),
    ("training: {executor: lokal}", "training.executor", "Did you mean 'local'?"),
    ("tracking: {tensorboard: maybe}", "tracking.tensorboard", "expected true or false, received 'maybe' (text)"),
    ("name: 'two words'", "name", "expected letters, digits"),
    ("seed: -1", "seed", "expected a number at least 0, received -1 (integer)"),
]


@pytest.mark.parametrize(("line", "where", "what"), MISTAKES)
def test_a_mistake_is_told_with_its_file_place_and_way_out(folder: Path, line: str, where: str, what: str) -> None:
    text = f"{line}\nmetric: auc\n" if line.startswith("data:") else f"{SMALLEST}{line}\n"
    message = told(folder, text)
    assert message.startswith(f"{folder / 'experiment.yaml'}")
    assert where in message
    assert what in message
    assert "problems:" not in message, "one mistake is one problem"


METRIC_MISTAKES = [
    ("metric: acuracy", "line 2, metric: no metric is called 'acuracy'", "Did you mean 'accuracy'?"),
    ("metric: metrics:profit", "line 2, metric", "write metric: {function: metrics:profit, direction: maximize}"),
    ("metric: {function: metrics:profit}", "line 2, metric.direction", "this key is missing"),
    ("metric: {function: profit, direction: maximize}", "line 2, metric.function", "expected 'module:attribute'"),
    ("metric: 5", "line 2, metric", "expected text or a mapping, received 5 (integer)"),
    ("", "metric", "this key is missing and has no default (A built-in metric's name"),
]


@pytest.mark.parametrize(("line", "where", "what"), METRIC_MISTAKES)
def test_a_wrong_metric_is_told(folder: Path, line: str, where: str, what: str) -> None:
    message = told(folder, f"data: {{train: train.csv, target: y}}\n{line}\n")
    assert where in message
    assert what in message
    assert "problems:" not in message


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    message = told(folder, "data: {train: train.csv, traget: y}\nmetric: auc\nseed: x\nsearch: {trials: no}\n")
    assert "has 4 problems:" in message
    for place in ("line 1, data.target: this key is missing", "data.traget", "line 3, seed", "line 4, search.trials"):
        assert place in message


def test_no_more_than_ten_mistakes_are_told_in_full(folder: Path) -> None:
    message = told(folder, SMALLEST + "".join(f"wrong{number}: 1\n" for number in range(25)))
    assert message.count("unknown key") == 10
    assert message.endswith("and 15 more")


@pytest.mark.parametrize("key", ["train", "test", "sample_submission"])
def test_a_table_that_is_absent_is_told_with_those_that_are_there(folder: Path, key: str) -> None:
    tables = {"train": "train.csv", key: "trian.csv"}
    listed = ", ".join(f"{name}: {table}" for name, table in tables.items())
    message = told(folder, f"metric: auc\ndata: {{target: y, {listed}}}\n")
    assert f"line 2, data.{key}: there is no file '{folder / 'trian.csv'}'" in message
    assert message.endswith("the folder holds train.csv. Did you mean 'train.csv'?")


def test_an_absent_table_that_a_script_writes_is_told_with_the_script(folder: Path) -> None:
    (folder / "train.csv").unlink()
    (folder / "make_data.py").touch()
    assert f"Run 'python {folder / 'make_data.py'}'" in told(folder, SMALLEST)


def test_a_newer_version_is_refused_before_its_unknown_keys(folder: Path) -> None:
    message = told(folder, "version: 2\nsomething_new: 1\n")
    assert message.endswith("version: written for a newer workbench (version 2; this one reads 1). Upgrade workbench")
    assert "line 1" in message


@pytest.mark.parametrize("version", ["0", "one", "1.5", "[1]"])
def test_a_version_that_never_was_is_refused(folder: Path, version: str) -> None:
    assert "version: expected 1, received" in told(folder, f"version: {version}\n{SMALLEST}")


def test_an_absent_folder_file_or_experiment_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file or folder\. Give a folder that holds experiment\.yaml"):
        read_config(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"no such file or folder\. Did you mean 'experiment\.yaml'\?"):
        read_config(folder / "experiment.yml")
    (folder / "experiment.yaml").rename(folder / "experiment.yml")
    with pytest.raises(ConfigError, match=r"has no experiment\.yaml; it holds experiment\.yml; name one of them"):
        read_config(folder)
    (folder / "experiment.yml").unlink()
    with pytest.raises(ConfigError, match=r"(?s)has no experiment\.yaml; .*the smallest one is.*metric: "):
        read_config(folder)


@pytest.mark.parametrize("path", ["a" * 5000, "a\x00b", "a/" * 3000])
def test_a_path_that_the_system_refuses_is_the_users_mistake(folder: Path, path: str) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        read_config(folder / path)
    with pytest.raises(ConfigError, match=r"data\.train: there is no file"):
        config_from_mapping({"data": {"train": path, "target": "y"}, "metric": "auc"}, root=folder)


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n"])
def test_an_empty_file_is_told_with_the_smallest_one(folder: Path, content: str) -> None:
    assert "the file is empty; the smallest experiment is\ndata:" in told(folder, content)


@pytest.mark.parametrize(("content", "match"), [("- a", "received a list of 1"), ("auc", "received 'auc' \\(text\\)")])
def test_a_file_that_is_no_mapping_is_told(folder: Path, content: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        read(folder, content)


def test_bytes_that_are_not_utf_8_are_told_with_their_line(folder: Path) -> None:
    (folder / "experiment.yaml").write_bytes(SMALLEST.encode() + b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"line 3: byte 0xe9 is not valid UTF-8"):
        read_config(folder)


def test_a_file_over_one_mebibyte_is_refused(folder: Path) -> None:
    (folder / "experiment.yaml").write_bytes(SMALLEST.encode() + b"#" * MAX_BYTES)
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        read_config(folder)


# --- from Python -----------------------------------------------------------------------------------------------------

MAPPING: dict[str, Any] = {"data": {"train": "train.csv", "target": "y"}, "metric": "auc"}


def test_a_mapping_is_read_and_left_as_it_was() -> None:
    mapping = {**MAPPING, "families": ("mlp", {"name": "xgboost"}), "search": {"trials": 3}}
    config = config_from_mapping(mapping, "Experiment(...)", overrides=["search.trials=5", "families.1.trials=2"])
    assert config.search.trials == 5
    assert [family.trials for family in config.family_configs] == [None, 2]
    assert mapping == {**MAPPING, "families": ("mlp", {"name": "xgboost"}), "search": {"trials": 3}}


def test_tables_are_looked_for_only_under_a_root(tmp_path: Path) -> None:
    assert config_from_mapping(MAPPING).data.train == Path("train.csv")
    with pytest.raises(ConfigError, match=r"Experiment, data\.train: there is no file"):
        config_from_mapping(MAPPING, "Experiment", root=tmp_path)


def test_a_mappings_mistakes_are_told_by_key_path() -> None:
    with pytest.raises(ConfigError, match=r"^Experiment\(\.\.\.\), serch: unknown key.*Did you mean 'search'\?$"):
        config_from_mapping({**MAPPING, "serch": {}}, "Experiment(...)")


# --- anything at all -------------------------------------------------------------------------------------------------

ANYWHERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=200)
KEYS = st.sampled_from(
    [
        *ExperimentConfig.model_fields,
        "train",
        "target",
        "test",
        "trials",
        "name",
        "factory",
        "kind",
        "columns",
        "function",
    ]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS
TREES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4)
)


@ANYWHERE
@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"\xff\xfe")
@example(b"%YAML 9.9\n---\na: b")
@example(b"%TAG ! tag:x,2000:\n---\na: !b c")
@example(b"? ")
@example(b'"\\x')
@example(b"--- |9\n a")
def test_any_bytes_are_a_configuration_or_a_config_error(folder: Path, content: bytes) -> None:
    (folder / "experiment.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"experiment\.yaml"):  # no 200 random bytes name train, target and metric
        read_config(folder)


@ANYWHERE
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_any_mapping_is_a_configuration_or_a_config_error(mapping: dict[str, Any]) -> None:
    try:
        config = config_from_mapping({**MAPPING, **mapping})
    except ConfigError as error:
        assert str(error).startswith("configuration")  # noqa: PT017 - either outcome is right
    else:
        assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config
