"""Feature sets: chains of functions and transformers, what their columns become, and the leaks that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import PolynomialFeatures

from workbench import feature_set
from workbench.data.feature_checks import check_chain
from workbench.data.feature_steps import FeatureChain, record
from workbench.data.features import load_steps, step_of
from workbench.errors import FactoryError
from workbench.types import ColumnKind, FeaturesRef

KINDS: dict[str, ColumnKind] = {
    "a": "numeric",
    "b": "numeric",
    "town": "categorical",
    "when": "datetime",
    "member": "boolean",
    "note": "categorical",
}


def table(rows: int = 40, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.integers(0, 3, rows).astype(float)})
    frame.loc[3, "a"] = np.nan
    towns = np.array(["Ulm", "Bonn", None], dtype=object)
    frame["town"] = pd.Series(rng.choice(towns, rows), dtype=object)
    frame["when"] = (np.datetime64("2026-01-01") + rng.integers(0, 99, rows)).astype("datetime64[us]")
    frame["member"] = pd.array(rng.random(rows) < 0.5, dtype="boolean")
    frame.loc[5, "member"] = pd.NA
    frame["note"] = pd.Series([f"note {i}" for i in range(rows)], dtype=object)
    return frame


def target(rows: int = 40) -> pd.Series[float]:
    return pd.Series(np.arange(rows, dtype=float), name="y")


@feature_set
def v1(frame):
    frame["ratio"] = frame["a"] / frame["b"]
    frame["month"] = frame["when"].dt.month
    frame["word"] = frame["note"].str[:4]
    frame["north"] = frame["town"] == "Bonn"
    return frame.drop(columns="note")


@feature_set(after=v1)
class town_means:
    def fit_transform(self, frame, y):
        self.means, self.mean = y.groupby(frame["town"]).mean(), y.mean()
        return self.transform(frame)

    def transform(self, frame):
        frame["town_mean"] = frame["town"].map(self.means).fillna(self.mean)
        return frame


@feature_set(after=town_means)
def v3(frame):
    return frame.assign(twice=2 * frame["town_mean"])


@feature_set(scope="fold")
def polynomials():
    return PolynomialFeatures(2, include_bias=False)


def recorded(made: Any, frame: pd.DataFrame | None = None, rows: int = 40) -> FeatureChain:
    frame = table(rows) if frame is None else frame
    return record(step_of(made).chain, frame, target(len(frame)), {n: KINDS[n] for n in frame}).chain


def checked(made: Any) -> None:
    frame = table()
    check_chain(recorded(made, frame), frame, target(), np.arange(0, 30), np.arange(30, 40))


def test_the_decorator_returns_what_it_marks_and_chains_keep_their_order() -> None:
    assert v1.__name__ == "v1"
    assert [(step.name, step.scope) for step in step_of(v3).chain] == [
        ("v1", "row"),
        ("town_means", "fold"),
        ("v3", "row"),
    ]

    class Derived(town_means):
        pass

    assert step_of(Derived) is None


def test_columns_are_typed_alike_whatever_rows_are_given() -> None:
    chain = recorded(v1)
    assert dict(chain.kinds[0]) == {
        **{name: kind for name, kind in KINDS.items() if name != "note"},
        "ratio": "numeric",
        "month": "numeric",
        "word": "categorical",
        "north": "boolean",
    }
    whole = chain.rows(table())
    assert [str(whole[name].dtype) for name in ("month", "word", "north")] == ["float64", "object", "boolean"]
    for row in range(40):
        alone = chain.rows(table().iloc[[row]].reset_index(drop=True))
        pd.testing.assert_frame_equal(alone, whole.iloc[[row]].reset_index(drop=True))


def test_division_by_zero_is_missing_and_the_table_that_was_given_stays_as_it_is() -> None:
    frame = table()
    ratio = recorded(v1, frame).rows(frame)["ratio"]
    assert (frame["b"] == 0).any()
    assert ratio[frame["b"] == 0].isna().all()
    assert np.isfinite(ratio.dropna()).all()
    pd.testing.assert_frame_equal(frame, table())


def test_what_was_text_stays_text_and_what_came_back_untouched_stays_what_it_was() -> None:
    @feature_set
    def digits(frame):
        return frame.assign(town=frame["town"].map({"Ulm": "89", "Bonn": "53"}), code=frame["b"].astype(str))

    assert recorded(digits).kinds[0]["town"] == "categorical"
    assert recorded(digits).kinds[0]["code"] == "numeric"

    @feature_set
    def same(frame):
        return frame

    frame = table()[["a"]].assign(note=pd.Series([str(i) for i in range(40)], dtype=object))
    assert recorded(same, frame).kinds[0] == {"a": "numeric", "note": "categorical"}


def test_a_fold_step_is_fitted_on_the_rows_that_it_is_given_and_on_no_others() -> None:
    chain, frame, y = recorded(v3), table(), target()
    train = np.arange(30)
    rows = chain.rows(frame)
    fitted, after = chain.fit(rows.iloc[train], y.iloc[train])
    changed = frame.copy()
    changed.loc[30:, ["a", "town", "note"]] = [1e6, "Ulm", "x"]
    other = y.where(y < 30, 1e6)
    again, same = chain.fit(chain.rows(changed).iloc[train], other.iloc[train])
    pd.testing.assert_series_equal(fitted[1].means, again[1].means)
    pd.testing.assert_frame_equal(after, same)
    assert [transformer is None for transformer in fitted] == [True, False, True]
    rest = chain.transform(rows.iloc[30:], fitted, start=1)
    expected = rest["town"].map(fitted[1].means).fillna(y[:30].mean())
    np.testing.assert_array_equal(rest["twice"], 2 * expected.astype(float))


def test_scikit_learns_transformers_are_feature_sets() -> None:
    frame = table()[["b"]]
    chain = recorded(polynomials, frame)
    fitted, after = chain.fit(frame, target())
    assert list(after.columns) == ["b", "b^2"]
    pd.testing.assert_frame_equal(chain.transform(frame, fitted), after)


def test_sound_sets_pass_the_checks() -> None:
    checked(v3)


def _mean(frame):
    return frame.assign(a=frame["a"].fillna(frame["a"].mean()))


def _next(frame):
    return frame.assign(before=frame["b"].shift(fill_value=0.0))


def _chance(frame):
    return frame.assign(r=np.random.default_rng().normal(size=len(frame)))


def _bins(frame):
    return frame.assign(bin=pd.qcut(frame["b"] + np.arange(len(frame)) / 100, 4).astype(str))


def _dummies(frame):
    return pd.concat([frame, pd.get_dummies(frame["town"])], axis=1)


def _rare(frame):
    return frame.assign(top=(frame["a"] > frame["a"].quantile(0.9999)).astype(float))


def _again(frame):
    return frame.assign(again=pd.Series(np.where(frame["note"].duplicated(), "again", "new"), dtype=object))


@pytest.mark.parametrize("function", [_rare, _again])
def test_dependence_that_shows_in_one_row_is_found(function: Callable[..., Any]) -> None:
    frame = table(3000)
    frame.loc[2999, "note"] = "note 7"
    chain = recorded(feature_set(function), frame)
    with pytest.raises(FactoryError, match=r"column '(top|again)' of row \d+ is .* must treat each row alone"):
        check_chain(chain, frame, target(3000), np.arange(2000), np.arange(2000, 3000))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            _mean,
            r"column 'a' of row 4 is -?0\.\d+ in the whole table, but -?0\.\d+ among other rows, in another order: ",
        ),
        (_next, r"column 'before' of row \d+ is .* but .*belongs into a class with fit_transform\(frame, y\)"),
        (_chance, r"column 'r' of row \d+ .* must treat each row alone, without chance"),
        (_bins, r"column 'bin' of row \d+ is '.*' in the whole table"),
        (_dummies, r"lacks column '(Bonn|Ulm)', compared with that for the whole training table.*with 1 of 40 rows"),
    ],
)
def test_row_sets_that_look_at_other_rows_are_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        checked(feature_set(function))


def test_transformers_that_look_at_other_rows_in_transform_are_refused() -> None:
    class centred:
        def fit(self, frame, _):
            self.columns = list(frame)

        def transform(self, frame):
            return frame.assign(centre=frame["b"] - frame["b"].mean())

    with pytest.raises(FactoryError, match=r"'centred': column 'centre' of row \d+ .*what fit_transform has learnt"):
        checked(feature_set(centred))


def test_a_transformer_that_sees_only_a_fold_may_not_change_its_columns() -> None:
    class seen:
        def fit_transform(self, frame, y):
            return frame.assign(**{f"is_{int(y.max())}": 1.0})

        def transform(self, frame):
            return frame

    with pytest.raises(FactoryError, match=r"lacks column 'is_39', compared with that for the whole training table"):
        checked(feature_set(seen))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda _: None, "expected a pandas DataFrame, got NoneType; add 'return frame' at its end"),
        (lambda frame: frame.to_numpy(), "expected a pandas DataFrame, got ndarray"),
        (lambda frame: frame.dropna(), r"got 40 rows and returned \d+; every row must be kept"),
        (lambda frame: frame.sort_values("a"), "came back in another order or under another index"),
        (
            lambda frame: frame.rename(columns={"a": 7}),
            "expected columns with text as their names, got the column name 7",
        ),
        (lambda frame: frame.rename(columns={"a": "b"}), "two columns are called 'b'"),
        (lambda frame: frame[[]], "got a table without columns"),
        (lambda frame: frame.assign(z=frame["Aa"]), r"KeyError: 'Aa'\. Did you mean 'a'\? The table has: a, b, town"),
        (lambda frame: frame.assign(z=[[1]] * len(frame)), "column 'z' holds list cells"),
        (lambda frame: frame.assign(z=pd.Timedelta("1h")), "column 'z' holds timedelta64"),
        (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_answers_that_are_no_table_of_the_same_rows_are_refused(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        checked(feature_set(function))


def test_decorators_that_make_no_sense_are_refused() -> None:
    class needs:
        def __init__(self, number):
            self.number = number

    with pytest.raises(FactoryError, match="after=table is no feature set; put @feature_set before it"):
        feature_set(after=table)(v1)
    with pytest.raises(FactoryError, match="is a class, whose scope is 'fold'"):
        feature_set(scope="row")(needs)
    with pytest.raises(FactoryError, match="scope is 'rows', expected 'row' or 'fold'"):
        feature_set(scope="rows")(v1)  # type: ignore[call-overload]
    with pytest.raises(FactoryError, match=r"'needs': TypeError: .*missing 1 required positional argument: 'number'"):
        recorded(feature_set(needs))
    with pytest.raises(FactoryError, match=r"expected a transformer with fit_transform\(frame, y\).*got int"):
        recorded(feature_set(scope="fold")(lambda: 3))


def test_errors_name_the_line_and_references_what_is_not_there(tmp_path: Path) -> None:
    source = "from workbench import feature_set\n\n@feature_set\ndef bad(frame):\n    return frame['q']\n"
    (tmp_path / "features.py").write_text(source + "\ndef plain(frame): ...\n")

    def ref(name: str) -> FeaturesRef:
        return FeaturesRef(name=name, reference=f"features:{name}", root=tmp_path, code="x")

    (step,) = load_steps(ref("bad"))
    with pytest.raises(FactoryError, match=r"feature set 'bad', features\.py line 5: KeyError: 'q'"):
        recorded(step.made)
    with pytest.raises(FactoryError, match=r"features\.py: 'plain' is no feature set; put @feature_set"):
        load_steps(ref("plain"))
    with pytest.raises(FactoryError, match=r"has no 'bat'\. Did you mean 'bad'\?"):
        load_steps(ref("bat"))
