"""Is a feature set sound? Known before the search: it must not leak, and must be the same when loaded from a bundle."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.feature_checks import check_chain
from workbench.errors import FactoryError
from workbench.models.identity import copy_reached_files
from workbench.training.build import seeded
from workbench.training.material import Material
from workbench.types import FeaturesRef, Schema

SHOWN = 10
"""So many columns are told by name."""
SAMPLE = 256
"""At most so many rows are transformed by what was fitted, and by what was stored and loaded again."""
_ADVICE = (
    "a bundle holds the code and what transformers have learnt as their attributes, no other files and nothing that is "
    "kept in modules or classes: put constants into the code, what a file beside it holds into the table, and what is "
    "learnt into attributes that are set when the transformer is fitted"
)


def check_features(material: Material) -> tuple[str, ...]:
    """Check the family's feature set on the training table, and store and load what it learns on the first split.

    Returns:
        What a person should know of the table that it gives.

    Raises:
        FactoryError: a row's features depend on the rows beside it or on files beside the code, or a transformer cannot
            be stored.
    """
    table, ref = material.features, material.job.family.features
    if table is None or ref is None:
        return ()
    raw, y = material.dataset.raw("train"), pd.Series(material.dataset.y, name=material.dataset.schema.target)
    train = material.plan.train(0)
    rest = np.setdiff1d(np.arange(len(raw)), train)
    with seeded(material.seed(0, "features")):
        check_chain(table.derivation.chain, raw, y, train, rest)
    # Not all rows: what a module keeps of the first table that it sees must become another one.
    _store_and_load(material, ref, raw.head(min(SAMPLE, max(1, len(raw) // 2))))
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
    if table is None:
        return
    expected = FrozenFeatures(table.derivation, base, fitted).transform(rows)
    with _code_alone(ref) as moved, tempfile.TemporaryDirectory() as name:
        save_features(Path(name), table.derivation, base, fitted)
        try:
            loaded = load_features(Path(name), moved).transform(rows)
        except FactoryError as error:
            raise FactoryError(
                f"{error} (with nothing but its code, as in a model that is delivered): {_ADVICE}"
            ) from error
    changed = [label for label in expected if not expected[label].equals(loaded[label])]
    if changed:
        raise FactoryError(
            f"feature set '{ref.name}': column '{changed[0]}' is another one when it is stored and loaded again: "
            f"{_ADVICE}"
        )


@contextlib.contextmanager
def _code_alone(ref: FeaturesRef) -> Iterator[FeaturesRef]:
    """Give a copy of a set's files in a folder of their own, to which the process moves, and forget its modules then.

    A copy is another module: what the first one keeps in globals and classes is not in it.
    """
    modules, path = dict(sys.modules), list(sys.path)
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name).resolve(), ref.root.resolve()
        files = copy_reached_files(ref.reference, root, folder)
        try:
            sys.path[:] = [entry for entry in path if Path(entry or ".").resolve() != root]
            with contextlib.chdir(folder):
                yield ref.model_copy(update={"root": folder}) if files else ref
        finally:
            sys.path[:] = path
            for label, module in list(sys.modules.items()):
                if folder in Path(getattr(module, "__file__", None) or "/").parents:
                    del sys.modules[label]
            for label, module in modules.items():
                sys.modules.setdefault(label, module)
