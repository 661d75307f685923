from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.training.cache import LruCache
from workbench.training.material import open_material
from workbench.training.row_parts import inner_split


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), stratify=st.booleans(), seed=st.integers(0, 99))
def test_an_inner_split_parts_the_training_rows(sizes: list[int], stratify: bool, seed: int) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes)
    train = np.arange(len(y))[::2] if len(y) > 3 else np.arange(len(y))
    if len(train) < 2:
        return
    inner, watch = inner_split(train, y, stratify, seed)
    np.testing.assert_array_equal(np.sort(np.r_[inner, watch]), train)
    assert len(watch) >= 1
    assert len(inner) >= 1
    assert [a.tolist() for a in inner_split(train, y, stratify, seed)] == [inner.tolist(), watch.tolist()]


@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=30), seed=st.integers(0, 99))
def test_an_inner_split_watches_whole_groups(sizes: list[int], seed: int) -> None:
    group = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    train = np.arange(len(group))
    inner, watch = inner_split(train, train % 2, True, seed, group)
    np.testing.assert_array_equal(np.sort(np.r_[inner, watch]), train)
    assert not set(group[inner]) & set(group[watch])
    assert 0 < len(watch) <= max(0.2 * len(train), min(sizes))


@given(sizes=st.lists(st.integers(2, 30), min_size=2, max_size=6), seed=st.integers(0, 99))
def test_an_inner_split_watches_every_class(sizes: list[int], seed: int) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes)
    inner, watch = inner_split(np.arange(len(y)), y, True, seed)
    assert set(y[watch]) == set(y[inner]) == set(y)


def test_every_split_trains_on_as_many_rows_as_were_told(make_job) -> None:
    job = make_job("multiclass", "dummy")
    for stopping in ("fold", "inner"):
        told = job.model_copy(update={"settings": job.settings.model_copy(update={"stopping": stopping})})
        material = open_material(told)
        assert material.training_rows() == [len(split.train) for split in material.splits(neural=False)]


def test_a_split_never_trains_on_what_it_validates(make_job) -> None:
    for stopping in ("fold", "inner"):
        job = make_job("regression", "mlp")
        job = job.model_copy(update={"settings": job.settings.model_copy(update={"stopping": stopping})})
        validated = []
        for split in open_material(job).splits(neural=True):
            assert not set(split.train) & (set(split.validate) | set(split.watch))
            assert (set(split.watch) == set(split.validate)) == (stopping == "fold")
            validated.extend(split.validate)
        assert sorted(validated) == list(range(150))


def test_every_split_has_the_same_shapes(make_job) -> None:
    shapes = {
        (split.prepared.table.numeric.shape, split.prepared.table.categorical.shape)
        for split in open_material(make_job("binary", "mlp")).splits(neural=True)
    }
    assert len(shapes) == 1


def test_the_least_recently_used_goes_first() -> None:
    cache: LruCache[int] = LruCache(limit=3, size=float)
    made: list[str] = []

    def get(key: str, value: int) -> int:
        return cache.get(key, lambda: made.append(key) or value)

    for key, value in [("a", 1), ("b", 2), ("a", 1), ("c", 2), ("a", 1), ("b", 2), ("d", 9), ("d", 9)]:
        assert get(key, value) == value
    assert made == ["a", "b", "c", "b", "d"]
