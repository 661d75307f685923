"""Feature sets in training: derived columns, fitted folds, caches, the checks of a description, and bundles."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from tests.training.conftest import MakeJob
from workbench import feature_set, registry
from workbench.data.dataset import Dataset
from workbench.data.feature_table import open_feature_table
from workbench.data.features import step_of
from workbench.data.folds import FoldPlan
from workbench.errors import FactoryError, StoreError
from workbench.models.identity import code_identity
from workbench.store.seal import unseal
from workbench.store.vault import Vault
from workbench.training.bundle import load_predictor
from workbench.training.frozen_state import freeze, thaw
from workbench.training.material import open_material
from workbench.training.runner import run
from workbench.types import Description, FamilyRef, FeaturesRef, TrialResult

FEATURES = """
import numpy as np
import pandas as pd
from workbench import feature_set
from helpers import inverse

@feature_set
def v1(frame):
    frame["a_by_b"] = frame["a"] * inverse(frame["b"].round())
    frame["kind"] = frame["kind"].str.upper()
    return frame.drop(columns="b")

@feature_set(after=v1)
class v2:
    def fit_transform(self, frame, y):
        self.means, self.mean, self.rows = y.groupby(frame["kind"]).mean(), y.mean(), len(frame)
        return self.transform(frame)

    def transform(self, frame):
        return frame.assign(kind_mean=frame["kind"].map(self.means).fillna(self.mean))

@feature_set(after=v2)
def v3(frame):
    return frame.assign(twice=2 * frame["kind_mean"])
"""
HELPERS = "def inverse(column):\n    return 1 / column\n"


@pytest.fixture
def own_features(tmp_path: Path) -> Any:
    """Return a function that gives lightgbm (or another family) on a feature set of a ``features.py``."""

    def write(name: str, source: str = FEATURES, family: str = "lightgbm") -> FamilyRef:
        folder = tmp_path / "own"
        folder.mkdir(exist_ok=True)
        (folder / "features.py").write_text(source)
        (folder / "helpers.py").write_text(HELPERS)
        reference = f"features:{name}"
        ref = FeaturesRef(name=name, reference=reference, root=folder, code=code_identity(reference, folder))
        plain: FamilyRef = registry.resolve("families", family).ref(f"{family}+{name}")
        return plain.model_copy(update={"features": ref})

    return write


def test_models_see_the_derived_columns_and_their_schema_is_that_of_every_fold(
    make_job: MakeJob, own_features: Any
) -> None:
    material = open_material(make_job(family=own_features("v3")))
    columns = {column.name: column for column in material.schema.columns}
    assert list(columns) == ["a", "kind", "w", "a_by_b", "kind_mean", "twice"]
    assert columns["w"].kind == "ignored"  # data.drop says so, though feature sets see it
    assert columns["kind"].size == 3
    assert columns["a_by_b"].missing  # 1 / 0
    assert material.problem.schema.numeric == ("a", "a_by_b", "kind_mean", "twice")
    y, plan = material.dataset.y, material.plan
    for split in range(plan.splits):
        prepared, train = material.prepared(split), plan.train(split)
        transformer = prepared.transformers[1]
        assert transformer.rows == len(train)
        assert transformer.mean == y[train].mean()
        np.testing.assert_array_equal(prepared.table.numeric[:, 3], 2 * prepared.table.numeric[:, 2])
        assert not np.isinf(prepared.table.numeric).any()


def test_what_is_watched_inside_a_fold_is_fitted_on_by_nothing(make_job: MakeJob, own_features: Any) -> None:
    job = make_job("regression", own_features("v2"))
    inner = job.model_copy(update={"settings": job.settings.model_copy(update={"stopping": "inner"})})
    for told, seed in ((job, 0), (inner, 0), (inner, 1)):
        material = open_material(told.model_copy(update={"seed": seed}))
        for split in material.splits(neural=True):
            transformer = split.prepared.transformers[1]
            assert transformer.rows == len(split.train)
            assert transformer.mean == material.dataset.y[split.train].mean()
            assert split.target.center == material.dataset.y[split.train].mean()


def test_families_on_other_sets_share_nothing_that_was_prepared(make_job: MakeJob, own_features: Any) -> None:
    widths = [
        open_material(make_job(family=family)).prepared(0).table.numeric.shape[1]
        for family in (own_features("v1"), own_features("v2"), "lightgbm", own_features("v3"))
    ]
    assert widths == [2, 3, 2, 4]


def test_row_steps_are_run_once_and_read_from_disk_afterwards(make_job: MakeJob, own_features: Any) -> None:
    job = make_job(family=own_features("v3"))
    dataset, ref = Dataset.open(job.dataset), job.family.features
    cache = job.dataset.parent
    made = open_feature_table(dataset, ref, cache)
    assert len(list(cache.glob("features-*/train.parquet"))) == 1
    (ref.root / "helpers.py").write_text("raise RuntimeError('executed again')\n")
    with pytest.raises(FactoryError, match="executed again"):
        open_feature_table(dataset, ref, cache / "elsewhere")
    (ref.root / "helpers.py").write_text("def inverse(column):\n    raise RuntimeError('called again')\n")
    read = open_feature_table(dataset, ref, cache)
    pd.testing.assert_frame_equal(read.train, made.train)
    pd.testing.assert_frame_equal(read.test, made.test)
    assert read.derivation.schema == made.derivation.schema


@pytest.mark.parametrize("during", [False, True])
def test_code_that_was_edited_since_the_run_began_is_not_kept(
    make_job: MakeJob, own_features: Any, monkeypatch: pytest.MonkeyPatch, during: bool
) -> None:
    job = make_job(family=own_features("v1"), rows=149)  # no other test's, so that it is not in memory
    file = job.family.features.root / "features.py"

    def edit() -> None:
        file.write_text(FEATURES.replace('frame["a"] *', '7 * frame["a"] *'))

    if during:
        monkeypatch.setattr(Dataset, "raw", lambda self, part, raw=Dataset.raw: (edit(), raw(self, part))[1])
    else:
        edit()
    with pytest.raises(FactoryError, match=r"'v1': features\.py was edited since the run began; run again"):
        open_material(job).features  # noqa: B018
    assert not list(job.dataset.parent.glob("features-*"))


def test_tables_that_follow_from_a_fit_are_kept_by_seed(make_job: MakeJob, own_features: Any) -> None:
    for name, tables in (("v1", 1), ("v3", 3)):
        job = make_job(family=own_features(name), rows=148)
        for seed in (0, 1):
            assert open_material(job.model_copy(update={"seed": seed})).features is not None
        assert len(list(job.dataset.parent.glob("features-*"))) == tables


def test_a_bundle_predicts_raw_rows_from_code_that_has_moved(
    make_job: MakeJob, own_features: Any, tmp_path: Path
) -> None:
    job = make_job(family=own_features("v3"))
    described = run(job.model_copy(update={"kind": "describe"}), lambda _: False)
    assert isinstance(described, Description)
    assert described.notices == (
        "feature set v3 makes a_by_b (numeric), kind_mean (numeric), twice (numeric), drops b",
    )
    result = run(job, lambda _: False)
    assert isinstance(result, TrialResult)
    vault, dataset, plan = Vault(job.vault), Dataset.open(job.dataset), FoldPlan.open(job.plan)
    moved = tmp_path / "moved"
    job.family.features.root.rename(moved)
    bundles = [vault.folder(job.fit_key) / f"split{i}" for i in range(plan.splits)]
    predictors = [load_predictor(bundle, features_root=moved) for bundle in bundles]
    mean = np.mean([predictor.predict(dataset.raw("test")) for predictor in predictors], axis=0)
    np.testing.assert_array_equal(mean, vault.test(job.fit_key, dataset.test_key))
    raw = dataset.raw("train")
    for split, predictor in enumerate(predictors):
        rows = plan.validate(split)
        oof = predictor.predict(raw.iloc[rows].reset_index(drop=True))
        np.testing.assert_array_equal(oof, vault.oof(job.fit_key)[split])
        alone = predictor.predict(raw.iloc[rows[:1]].reset_index(drop=True))
        np.testing.assert_array_equal(alone, oof[:1])
    state = bundles[0] / "features.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "version": 99}))
    with pytest.raises(StoreError, match="has version 99"):
        load_predictor(bundles[0], features_root=moved)


def test_a_test_table_that_came_later_is_predicted_from_bundles(make_job: MakeJob, own_features: Any) -> None:
    job = make_job(family=own_features("v2"))
    result = run(job, lambda _: False)
    vault, key = Vault(job.vault), Dataset.open(job.dataset).test_key
    before = vault.test(job.fit_key, key)
    unseal(vault.folder(job.fit_key), {f"test-{key}.npy"})
    (vault.folder(job.fit_key) / f"test-{key}.npy").unlink()
    again = run(job, lambda _: False)
    assert again == result.model_copy(update={"cached": True})
    np.testing.assert_array_equal(vault.test(job.fit_key, key), before)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "self.by = lambda x: x",
            r"feature set 'v2': attribute by is of function, which a bundle cannot hold; expected",
        ),
        ("self.cut = y.groupby(pd.cut(y, 2), observed=True).mean()", r"attribute cut \(category, .*as Parquet: "),
        ("self.z = pd.Series([1 + 2j])", r"attribute z \(int64, complex128\) cannot be written as Parquet: "),
        ("self.z = 1j", "attribute z is of complex, which a bundle cannot hold"),
        ("pass\n    __slots__ = ('m',)", "v2 has __slots__, whose attributes a bundle cannot hold"),
        ("self.deep = [{1: open}]", r"attribute deep\[0\]\[1\] is of builtin_function_or_method"),
    ],
)
def test_transformers_that_cannot_be_delivered_are_told_by_the_description(
    make_job: MakeJob, own_features: Any, body: str, message: str
) -> None:
    source = (
        "import pandas as pd\nfrom workbench import feature_set\n"
        "@feature_set\nclass v2:\n"
        f"    def fit(self, frame, y):\n        {body}\n"
        "    def transform(self, frame):\n        return frame\n"
    )
    job = make_job(family=own_features("v2", source), kind="describe")
    with pytest.raises(FactoryError, match=message):
        run(job, lambda _: False)


READS = "import pandas as pd\nfrom pathlib import Path\nfrom workbench import feature_set\nSEEN = {}\n@feature_set\n"
FITS = READS + "class v1:\n    def fit(self, frame, y):\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            READS + "def v1(frame):\n    return frame.assign(c=pd.read_csv(Path(__file__).with_name('c.csv')).c[0])\n",
            r"line 7: FileNotFoundError: .*nothing but its code.*what a file beside it holds into the table",
        ),
        (
            READS + "def v1(frame):\n    return frame.assign(c=frame.b - SEEN.setdefault('mean', frame.b.mean()))\n",
            "column 'c' is another one when it is stored and loaded again",
        ),
        (
            FITS + "        SEEN['mean'] = y.mean()\n"
            "    def transform(self, frame):\n        return frame.assign(c=SEEN['mean'])\n",
            "KeyError: 'mean'.*nothing but its code",
        ),
        (
            FITS + "        v1.mean = y.mean()\n"
            "    def transform(self, frame):\n        return frame.assign(c=self.mean)\n",
            "no attribute 'mean'.*nothing but its code",
        ),
    ],
)
def test_sets_that_need_more_than_their_code_are_told_by_the_description(
    make_job: MakeJob, own_features: Any, source: str, message: str
) -> None:
    job = make_job("regression", own_features("v1", source), kind="describe")
    (job.family.features.root / "c.csv").write_text("c\n3\n")
    here, path = Path.cwd(), list(sys.path)
    with pytest.raises(FactoryError, match=message):
        run(job, lambda _: False)
    assert Path.cwd() == here
    assert not [entry for entry in set(sys.path) - set(path) if not Path(entry).is_dir()]


def test_a_leak_is_told_by_the_description(make_job: MakeJob, own_features: Any) -> None:
    source = (
        "from workbench import feature_set\n@feature_set\ndef v1(frame):\n    return frame.assign(c=frame.b.rank())\n"
    )
    job = make_job(family=own_features("v1", source), kind="describe")
    with pytest.raises(FactoryError, match=r"set 'v1': column 'c' of row \d+ is \d+\.0 in the whole table, but"):
        run(job, lambda _: False)


class Everything:
    """Holds one of each."""

    def fit(self, frame: pd.DataFrame, y: pd.Series[Any]) -> None:
        by = frame.groupby(["kind", "n"])["x"].mean()
        self.plain = {"a": 1, 2: [None, True, 0.1, "x"], ("t", 1): {3, 4}, float("inf"): (1, (2,))}
        self.arrays = [np.arange(6).reshape(2, 3), np.array(["a", None], dtype=object), np.float64(0.1), np.str_("s")]
        self.scalars = [np.float32(0.1), np.int8(-3), np.bool_(True), np.datetime64("2026-01-01T01", "us"), np.str_("")]
        self.scalars += [np.timedelta64(5, "h"), np.complex128(1 + 2j), np.float64("inf"), np.bytes_(b"x")]
        self.dates = [np.array(["2026-01-01"], dtype="datetime64[us]"), pd.Timestamp("2026-01-02"), float("nan")]
        self.pandas = [by, frame, frame.set_index("kind"), frame["kind"], by.index, pd.Index(["u", "v"], name="w")]
        self.typed = frame.assign(c=frame["kind"].astype("category"), i=frame["n"].astype("Int64"), b=frame["x"] > 0)
        self.wide = frame.pivot_table(index="kind", columns="n", values="x")
        self.cut = pd.Series([1.0, 2.0], index=pd.Index([0.5, 1.5]), name=7)
        self.model = PolynomialFeatures(2).fit(frame[["x"]])
        self.models = {"line": LinearRegression().fit(frame[["x"]], y)}

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame


def test_what_transformers_learn_survives_being_stored(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"kind": pd.Series(["p", "q", None, "q"], dtype=object), "n": [1, 2, 1, 1], "x": [0.5, 1, 2, 3]}
    )
    learnt = Everything()
    learnt.fit(frame, pd.Series([0.0, 1.0, 2.0, 3.0]))
    step = step_of(feature_set(Everything))
    assert step is not None
    state = json.loads(json.dumps(freeze(learnt, step, tmp_path, 0)))
    assert not list(tmp_path.glob("*.pkl"))
    before = {file.name for file in tmp_path.iterdir()}
    freeze(learnt, step, tmp_path, 1)
    assert {file.name.replace("step1", "step0") for file in tmp_path.iterdir()} == before
    assert len(list(tmp_path.iterdir())) == 2 * len(before)
    again = thaw(state, step, tmp_path)
    assert again.plain == learnt.plain
    for left, right in zip(again.pandas, learnt.pandas, strict=True):
        assert type(left) is type(right)
        assert left.equals(right)
        assert list(getattr(left, "index", left).names) == list(getattr(right, "index", right).names)
    pd.testing.assert_frame_equal(again.typed, learnt.typed)
    pd.testing.assert_frame_equal(again.wide, learnt.wide)
    pd.testing.assert_series_equal(again.cut, learnt.cut)
    np.testing.assert_array_equal(again.arrays[0], learnt.arrays[0])
    assert again.arrays[1].tolist() == ["a", None]
    assert again.arrays[2:] == learnt.arrays[2:]
    assert type(again.arrays[2]) is np.float64
    assert again.scalars == learnt.scalars
    assert [value.dtype for value in again.scalars] == [value.dtype for value in learnt.scalars]
    assert again.dates[:2] == learnt.dates[:2]
    np.testing.assert_array_equal(again.model.transform(frame[["x"]]), learnt.model.transform(frame[["x"]]))
    np.testing.assert_array_equal(again.models["line"].coef_, learnt.models["line"].coef_)
