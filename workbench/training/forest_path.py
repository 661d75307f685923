"""scikit-learn's forests as plain arrays: skops writes several files for each tree, and takes longer than the fit.

100 trees of 2,500 leaves: written in 1 s, read in 0.1 s, 5 MB. Reading them imports no scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.data.preparation import Prepared
from workbench.models.problem import Problem

FILE = "forest.npz"
CHUNK = 4096
"""Rows that go through the trees together: their nodes stay in the processor's cache."""


@dataclass(frozen=True)
class ForestFoldModel:
    """The trees of one split, one after another; a node's children are positions, a leaf's are itself.

    Attributes:
        feature: column that a node looks at, int32 ``(nodes,)``.
        threshold: rows up to it go left, float64 ``(nodes,)``.
        left, right: the children, int32 ``(nodes,)``.
        gap_left: whether a missing value goes left, bool ``(nodes,)``.
        value: predictions of the leaves ``(nodes, outputs)``: float32 shares of classes, float64 values.
        roots: int32 ``(trees,)``.
        depth: most steps from a root to a leaf.
    """

    kind = "forest"

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    gap_left: NDArray[np.bool_]
    value: NDArray[np.float32] | NDArray[np.float64]
    roots: NDArray[np.int32]
    depth: int

    def predict(self, prepared: Prepared) -> NDArray[Any]:
        """Return the mean of the trees' leaves ``(rows, outputs)``."""
        # scikit-learn's trees see float32.
        matrix = prepared.matrix().astype(np.float32)
        parts = [self._mean(matrix[start : start + CHUNK]) for start in range(0, len(matrix), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self.value.shape[1]))

    def save(self, folder: Path) -> None:
        """Write ``forest.npz``."""
        arrays: dict[str, Any] = {**vars(self), "depth": np.array(self.depth)}
        np.savez_compressed(folder / FILE, **arrays)

    def _mean(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        total = np.zeros((len(matrix), self.value.shape[1]))
        rows = np.arange(len(matrix))
        for root in self.roots:
            node = np.full(len(matrix), root)
            for _ in range(self.depth):
                following = self._step(node, matrix[rows, self.feature[node]])
                if np.array_equal(following, node):
                    break
                node = following
            total += self.value[node]
        return total / len(self.roots)

    def _step(self, node: NDArray[np.int32], seen: NDArray[np.float32]) -> NDArray[np.int32]:
        goes_left = (seen <= self.threshold[node]) | (np.isnan(seen) & self.gap_left[node])
        return np.where(goes_left, self.left[node], self.right[node])


def is_forest(estimator: Any) -> bool:
    """Say whether an estimator's trees can be kept as arrays: one of scikit-learn's own four, of one output."""
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        RandomForestClassifier,
        RandomForestRegressor,
    )

    kinds = (ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor)
    return type(estimator) in kinds and estimator.n_outputs_ == 1


def as_arrays(estimator: Any, problem: Problem) -> ForestFoldModel:
    """Return a fitted forest of scikit-learn as arrays."""
    trees = [tree.tree_ for tree in estimator.estimators_]
    counts = np.array([tree.node_count for tree in trees])
    roots = np.cumsum(counts) - counts
    nodes = np.concatenate([tree.__getstate__()["nodes"] for tree in trees])
    offsets, own = np.repeat(roots, counts), np.arange(counts.sum())
    leaf = nodes["left_child"] < 0
    return ForestFoldModel(
        feature=np.where(leaf, 0, nodes["feature"]).astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["threshold"]),
        left=np.where(leaf, own, nodes["left_child"] + offsets).astype(np.int32),
        right=np.where(leaf, own, nodes["right_child"] + offsets).astype(np.int32),
        gap_left=nodes["missing_go_to_left"].astype(bool),
        value=_values(estimator, np.concatenate([tree.value[:, 0, :] for tree in trees]), leaf, problem),
        roots=roots.astype(np.int32),
        depth=max(tree.max_depth for tree in trees),
    )


def load_forest(folder: Path) -> ForestFoldModel:
    """Load what `ForestFoldModel.save` wrote."""
    with np.load(folder / FILE, allow_pickle=False) as arrays:
        return ForestFoldModel(
            **{name: arrays[name] for name in arrays.files if name != "depth"}, depth=int(arrays["depth"])
        )


def _values(
    estimator: Any, value: NDArray[np.float64], leaf: NDArray[np.bool_], problem: Problem
) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return what each leaf predicts ``(nodes, outputs)``: class shares, a class that a fold did not see has none.

    Values stay float64: near 1.7e9, such as seconds since 1970, float32 knows multiples of 128.
    """
    value = np.where(leaf[:, None], value, 0.0)
    if problem.task == "regression":
        return value
    full = np.zeros((len(value), max(2, len(problem.classes))), dtype=np.float32)
    full[:, np.asarray(estimator.classes_, dtype=np.int64)] = value / np.maximum(
        value.sum(axis=1, keepdims=True), 1e-300
    )
    return full[:, 1:] if problem.task == "binary" else full
