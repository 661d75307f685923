"""Is a feature set sound? Known before the search: it must not leak, and must be the same when loaded from a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.feature_checks import check_chain
from workbench.errors import FactoryError
from workbench.training.build import seeded
from workbench.training.material import Material
from workbench.types import FeaturesRef, Schema

SHOWN = 10
"""So many columns are told by name."""
SAMPLE = 256
"""Rows that are transformed by what was fitted, and by what was stored and loaded again."""


def check_features(material: Material) -> tuple[str, ...]:
    """Check the family's feature set on the training table, and store and load what it learns on the first split.

    Returns:
        What a person should know of the table that it gives.

    Raises:
        FactoryError: a row's features depend on the rows beside it, or a transformer cannot be stored.
    """
    table, ref = material.features, material.job.family.features
    if table is None or ref is None:
        return ()
    raw, y = material.dataset.raw("train"), pd.Series(material.dataset.y, name=material.dataset.schema.target)
    train = material.plan.train(0)
    rest = np.setdiff1d(np.arange(len(raw)), train)
    with seeded(material.seed(0, "features")):
        check_chain(table.derivation.chain, raw, y, train, rest)
    _store_and_load(material, ref, raw.head(SAMPLE))
    return tuple(_notices(ref.name, material.dataset.schema, table.derivation.schema))


def _notices(name: str, base: Schema, derived: Schema) -> Iterator[str]:
    """Tell which columns models see more and less, and which new ones they do not see."""
    before, after = {c.name: c for c in base.columns}, {c.name: c for c in derived.columns}
    new = [c for c in derived.columns if before.get(c.name) != c]
    seen = {c.name for c in derived.features}
    parts = {
        "makes": [f"{c.name} ({c.kind})" for c in new if c.kind != "ignored"],
        "drops": [c.name for c in base.features if c.name not in after],
        "and makes nothing that models can use of": [c.name for c in new if c.name not in seen],
    }
    told = [f"{what} {_listed(names)}" for what, names in parts.items() if names]
    yield f"feature set {name} {', '.join(told) or 'gives the table back as it is'}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _store_and_load(material: Material, ref: FeaturesRef, rows: pd.DataFrame) -> None:
    """Raise `FactoryError` for a feature set that could be searched, but not delivered."""
    from workbench.training.frozen_features import FrozenFeatures, load_features, save_features

    table, base = material.features, material.dataset.schema
    fitted = material.prepared(0).transformers
    if table is None or all(transformer is None for transformer in fitted):
        return
    with tempfile.TemporaryDirectory() as name:
        save_features(Path(name), table.derivation, base, fitted)
        loaded = load_features(Path(name), ref).transform(rows)
    expected = FrozenFeatures(table.derivation, base, fitted).transform(rows)
    changed = [label for label in expected if not expected[label].equals(loaded[label])]
    if changed:
        raise FactoryError(
            f"feature set '{ref.name}': column '{changed[0]}' is another one when its transformers are stored and "
            "loaded again; keep all that transform needs in attributes of the transformer, set when it is fitted"
        )
