"""A blend on its own: the folder that an exported model carries, and the way from raw rows to its predictions.

The folder holds ``members.json`` (`BlendFile`), ``schema.json``, ``layout.json``, ``members/<trial>/split<i>/`` (the
members' fold bundles) and ``code/<n>/`` (the experiment's own modules that their factories and feature
sets need).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from workbench.blending.fitted import FittedBlend
from workbench.blending.result import MemberRef
from workbench.data.raw_columns import raw_rows
from workbench.data.raw_matrix import RawMatrix
from workbench.data.schema import conform
from workbench.delivery.layout import OutputLayout, layout_frame
from workbench.errors import StoreError
from workbench.types import Schema, Value

MEMBERS, SCHEMA, LAYOUT = "members.json", "schema.json", "layout.json"
AnyValue = TypeVar("AnyValue", bound=Value)


class FrozenMember(Value):
    """A member with its configuration and where its bundles are, relative to the folder."""

    trial: MemberRef
    folder: str
    splits: int
    code: str | None = None
    """Folder of the experiment's modules; ``None`` for a built-in family."""
    features: str | None = None
    """The same for its feature set; ``None`` where it takes the table as it is."""
    refitted: bool = False
    """Its models were trained on all rows, one a seed; the trial's score is that of the models of its folds."""


class BlendFile(Value):
    """``members.json``: what the blend is made of. The champion's configurations are read from here."""

    version: Literal[2] = 2
    experiment: str
    method: str
    in_sample: float
    nested: float
    nested_se: float
    members: tuple[FrozenMember, ...]
    """In the order in which ``fitted`` takes their predictions."""
    fitted: FittedBlend
    columns: dict[str, Any] | None = None
    """How a stack's raw features are made of a conformed table (`workbench.data.raw_matrix`); ``None`` without any."""
    backend: str | None = None
    """Keras backend of the members; ``None`` where none needs Keras."""


class Predicts(Protocol):
    """A loaded bundle: `workbench.training.bundle.Predictor`."""

    @property
    def features(self) -> object | None:
        """Its feature set; ``None`` where it takes the table as it is."""
        ...

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return ``(rows, outputs)`` for conformed rows, or for raw ones where there is a feature set."""
        ...


@dataclass(frozen=True)
class FrozenBlend:
    """A blend that predicts from raw rows."""

    schema: Schema
    layout: OutputLayout
    members: tuple[tuple[Predicts, ...], ...]
    """The predictors of every split, by member."""
    fitted: FittedBlend
    columns: RawMatrix | None = None
    """Of a stack that looks at raw features."""

    @classmethod
    def open(cls, folder: Path) -> FrozenBlend:
        """Load everything.

        Keras is imported only if a member needs it, and with its backend. Where it has been imported already it stays:
        stored weights fit any backend, and predictions then agree to single precision.

        Raises:
            StoreError: A file is absent, damaged, or of a newer version.
        """
        about = _read(folder / MEMBERS, BlendFile)
        if about.backend is not None and "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = about.backend
        schema = _read(folder / SCHEMA, Schema)
        return cls(
            schema=schema,
            layout=_read(folder / LAYOUT, OutputLayout),
            members=tuple(tuple(_predictors(folder, member)) for member in about.members),
            fitted=about.fitted,
            columns=None if about.columns is None else RawMatrix.from_state(schema, about.columns),
        )

    def predict(self, rows: pd.DataFrame, *, origin: str = "rows to predict") -> NDArray[np.float64]:
        """Return ``(rows, outputs)``: each member's mean over splits, blended.

        Each row is predicted alone: neither its neighbours nor the order of rows or columns matter.

        Raises:
            DataError: A feature is absent, or cannot be read as what it was in training.
        """
        conformed = conform(rows, self.schema, origin=origin)
        derives = any(predictors[0].features is not None for predictors in self.members)
        raw = raw_rows(rows, self.schema, origin=origin) if derives else conformed
        if rows.empty:
            return np.zeros((0, self.schema.outputs))
        means = []
        for predictors in self.members:
            taken = conformed if predictors[0].features is None else raw
            means.append(np.mean([predictor.predict(taken) for predictor in predictors], axis=0))
        features = None if self.columns is None else self.columns.matrix(conformed)
        return self.fitted.predict(np.stack(means), features)

    def frame(self, rows: pd.DataFrame, *, origin: str = "rows to predict") -> pd.DataFrame:
        """Return the predictions in the layout's columns; rows without an id column are numbered from 0."""
        return layout_frame(self.predict(rows, origin=origin), self.layout, _ids(rows, self.layout))


def write_folder_files(folder: Path, about: BlendFile, schema: Schema, layout: OutputLayout) -> None:
    """Write the three JSON files."""
    for name, value in ((MEMBERS, about), (SCHEMA, schema), (LAYOUT, layout)):
        (folder / name).write_text(value.model_dump_json(indent=1) + "\n", "utf-8")


def bundle_about(bundle: Path) -> dict[str, Any]:
    """Return what ``bundle.json`` of a fold bundle says.

    Raises:
        StoreError: There is none, or it is damaged.
    """
    path = bundle / "bundle.json"
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read: {error}; fit this trial again") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} cannot be read: expected a mapping; fit this trial again")
    return content


def _ids(rows: pd.DataFrame, layout: OutputLayout) -> Sequence[Any] | None:
    source = layout.id_source
    return rows[source].tolist() if source is not None and source in rows.columns else None


def _predictors(folder: Path, member: FrozenMember) -> Iterator[Predicts]:
    from workbench.training.bundle import load_predictor

    code, features = (folder / part if part is not None else None for part in (member.code, member.features))
    for split in range(member.splits):
        yield load_predictor(folder / member.folder / f"split{split}", code, features)


def _read(path: Path, kind: type[AnyValue]) -> AnyValue:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(f"{path} cannot be read: {error}; export the model again with this version") from error
