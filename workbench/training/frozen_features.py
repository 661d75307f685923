"""A feature set in a bundle: ``features.json``, and what its transformers have learnt in the folder ``features/``.

The code is not in it: it is imported from the user's file, as a factory is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.data.feature_table import Derivation, derivation_from, derivation_state
from workbench.errors import StoreError
from workbench.training.frozen_state import freeze, thaw
from workbench.types import FeaturesRef, Schema

VERSION = 1
FILE, FOLDER = "features.json", "features"


@dataclass(frozen=True)
class FrozenFeatures:
    """A feature set as it was fitted on a split's training rows."""

    derivation: Derivation
    base: Schema
    """The training table's schema: what rows are given as."""
    fitted: Sequence[Any]

    def transform(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Return rows as the bundle's preparation takes them.

        Args:
            raw: rows as feature sets see them (`workbench.data.raw_columns`).

        Raises:
            FactoryError: the user's code raised.
        """
        return self.derivation.conformed(self.derivation.chain.transform(raw, self.fitted))


def save_features(folder: Path, derivation: Derivation, base: Schema, fitted: Sequence[Any]) -> None:
    """Write a feature set and what was fitted into a bundle's folder.

    Raises:
        FactoryError: a transformer has learnt something that cannot be stored.
    """
    (folder / FOLDER).mkdir()
    steps = enumerate(zip(derivation.chain.steps, fitted, strict=True))
    about = {
        "version": VERSION,
        "derivation": derivation_state(derivation),
        "base": base.model_dump(mode="json"),
        "fitted": [None if made is None else freeze(made, step, folder / FOLDER, at) for at, (step, made) in steps],
    }
    (folder / FILE).write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def load_features(folder: Path, ref: FeaturesRef) -> FrozenFeatures:
    """Load what `save_features` wrote; the code is that of ``ref.root``.

    Raises:
        StoreError: a file is absent or damaged, or of a newer version.
        FactoryError: the user's module cannot be imported.
    """
    file = folder / FILE
    try:
        about = json.loads(file.read_text("utf-8"))
        if about["version"] > VERSION:
            raise StoreError(f"{file} has version {about['version']}, this program knows up to {VERSION}: update it")
        derivation = derivation_from(about["derivation"], ref)
        base = Schema.model_validate(about["base"])
        steps = zip(derivation.chain.steps, about["fitted"], strict=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
    fitted = [None if state is None else thaw(state, step, folder / FOLDER) for step, state in steps]
    return FrozenFeatures(derivation, base, fitted)
