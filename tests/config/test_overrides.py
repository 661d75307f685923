"""``--set key.path=value``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.config import ExperimentConfig, config_from_mapping
from workbench.errors import ConfigError

MAPPING: dict[str, Any] = {
    "data": {"train": "train.csv", "target": "y"},
    "metric": "auc",
    "families": ["dummy", {"name": "mlp", "trials": 9}],
}


def changed(*overrides: str) -> ExperimentConfig:
    return config_from_mapping(MAPPING, "experiment.yaml", overrides=overrides)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("search.trials=5", "search.trials", 5),
        ("search.time=1e3", "search.time", 1000.0),
        ("search.time=1h30m", "search.time", 5400.0),
        ("folds.splits=3", "folds.splits", 3),
        (" folds.splits = 3", "folds.splits", 3),
        ("families=[dummy,xgboost]", "families", ("dummy", "xgboost")),
        ("data.drop=[a, b]", "data.drop", ("a", "b")),
        ("data.columns.a.b=numeric", "data.columns", {"a.b": "numeric"}),
        ("data.columns={a: numeric}", "data.columns", {"a": "numeric"}),
        ("data.target=2020-01-01", "data.target", "2020-01-01"),
        ("data.target='5'", "data.target", "5"),
        ("data.target=a=b", "data.target", "a=b"),
        ("data.positive=yes", "data.positive", "yes"),
        ("tracking.tensorboard=false", "tracking.tensorboard", False),
        ("metric={function: 'm:f', direction: maximize}", "metric.function", "m:f"),
        ("search.time=", "search.time", None),
        ("search.time=null", "search.time", None),
        ("folds=", "folds.splits", 5),
    ],
)
def test_a_key_is_set(override: str, path: str, value: Any) -> None:
    found: Any = changed(override)
    for part in path.split("."):
        found = getattr(found, part)
    assert found == value


def test_an_entry_of_a_list_is_set_by_its_number() -> None:
    assert changed("families.1.trials=2").family_configs[1].trials == 2
    assert changed("families.0=lightgbm").families[0] == "lightgbm"


def test_the_last_one_wins_and_a_section_may_be_replaced_before_its_keys() -> None:
    config = changed("search.trials=5", "search={trials: 6, startup: 2}", "search.trials=7")
    assert (config.search.trials, config.search.startup) == (7, 2)


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ("search.trails=5", r"^--set search\.trails=5: unknown key 'trails'.*Did you mean 'trials'\?$"),
        ("serch.trials=5", r"Did you mean 'search'\?$"),
        ("trials=5", r"Did you mean 'search\.trials'\?$"),
        ("search.trials.x=5", r"'search\.trials' is a value, not a section; it has no key 'x'"),
        ("search.trials=many", r"^experiment\.yaml, --set search\.trials=many, search\.trials: expected an integer"),
        ("metric=acuracy", r"^experiment\.yaml, --set metric=acuracy, metric: no metric is called 'acuracy'"),
        ("search.trials", r"expected key\.path=value, such as search\.trials=5"),
        ("=5", r"expected key\.path=value"),
        ("families=mlp", r"expected a list, received 'mlp' \(text\)\. Write \[mlp\]"),
        ("families.0.trials=5", r"'families\.0' is 'dummy' \(text\) there, not a mapping; set the whole"),
        ("families.2=mlp", r"'families\.2' does not exist: 'families' has 2 entries, counted from 0"),
        ("data.drop.0=a", r"'data\.drop' has no entries in the file; set the whole list"),
        ("metric.direction=maximize", r"'metric' is 'auc' \(text\) there, not a mapping; set the whole of 'metric'"),
        ("data.target=a: b", r"expected a value in one line"),
        ("data.drop=- a", r"expected a value in one line"),
        ("data.target=*a", r"^--set data\.target=\*a, line 1.*anchors"),
        ("data.target=!!str a", r"tags"),
        ("data..target=a", r"unknown key ''"),
        ("families..trials=a", r"unknown key ''"),
    ],
)
def test_a_wrong_override_is_told(override: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        changed(override)


PATHS = st.lists(
    st.sampled_from([*ExperimentConfig.model_fields, "train", "trials", "columns", "0", "1", "9" * 30, "²", ""]),
    min_size=1,
    max_size=4,
).map(".".join)


@given(PATHS | st.text(max_size=10), st.text(alphabet="ab01 :-[]{},'\"\n#&*!=.", max_size=20))
def test_any_override_gives_a_configuration_or_a_config_error(path: str, value: str) -> None:
    try:
        config = changed(f"{path}={value}")
    except ConfigError as error:
        assert f"--set {path}"[:20] in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(config, ExperimentConfig)
