"""One fit of a pack, looked at and put into the vault."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from workbench.errors import DataError
from workbench.exchange.guests import split_scores
from workbench.exchange.manifest import OOF, PackedTrial
from workbench.exchange.opening import Pack
from workbench.exchange.safety import check_files, check_predictions
from workbench.store.vault import PART, write_result
from workbench.types import FamilyRef, fingerprint
from workbench.workspace import Workspace

ROUNDING = 1e-5
"""Relative difference allowed between the score that a pack says and the one that its predictions have: a metric's sums
in single precision, and in another order."""


def guest_key(author: str, trial: PackedTrial) -> str:
    """Return the fit key of a trial here: never one that a fit of one's own could have, and by what came out.

    A pack may say any key. Under that one a search of one's own would believe what it holds.
    """
    oof = next(file.sha256 for file in trial.files if file.path == OOF)
    return fingerprint("guest", author, trial.fit_key, oof)


@dataclass(frozen=True)
class Taker:
    """Takes one trial's fit."""

    workspace: Workspace
    pack: Pack
    trial: PackedTrial
    family: FamilyRef
    """As it is called here, its code in the store."""
    key: str
    bundled: bool
    """Whether the models are taken too."""

    def write(self) -> None:
        """Put the fit into the vault, all or nothing.

        Raises:
            DataError: a file is damaged or not to be trusted, or the predictions are not those of the trial.
            StoreError: the vault cannot be written.
        """
        with self.workspace.vault.writing(self.key) as folder:
            self._unpack(folder)
            write_result(folder, self.trial.result.model_copy(update={"fit_key": self.key}))

    def add_models(self) -> None:
        """Add the models to a fit that came without them, or lost them as others were better.

        Raises:
            DataError: a file is damaged or not to be trusted.
        """
        folder = self.workspace.vault.folder(self.key)
        temporary = folder / f"{PART}merged-{uuid4().hex[:8]}"
        try:
            temporary.mkdir()
            self._unpack(temporary)
            for bundle in temporary.glob("split*"):
                if not (folder / bundle.name).exists():
                    bundle.rename(folder / bundle.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _unpack(self, folder: Path) -> None:
        files = tuple(file for file in self.trial.files if self.bundled or not file.path.startswith("split"))
        self.pack.extract(self.trial.model_copy(update={"files": files}), folder)
        check_files(folder, self.family)
        self._check_predictions(folder)
        for path in sorted(folder.glob("split*/bundle.json")):
            about = {**json.loads(path.read_text("utf-8")), "family": self.family.model_dump(mode="json")}
            path.write_text(json.dumps(about, indent=1) + "\n", "utf-8")

    def _check_predictions(self, folder: Path) -> None:
        """Refuse predictions that do not fit the plan, or do not have the score that the trial says."""
        workspace, result = self.workspace, self.trial.result
        plan, outputs = workspace.plan, workspace.dataset.schema.outputs
        with np.load(folder / OOF, allow_pickle=False) as arrays:
            if sorted(arrays.files) != sorted(f"split{split}" for split in range(plan.splits)):
                raise DataError(f"{OOF} does not hold one array for each of {plan.splits} splits")
            oof = [arrays[f"split{split}"] for split in range(plan.splits)]
        for split, predicted in enumerate(oof):
            check_predictions(f"split {split} of {OOF}", predicted, len(plan.validate(split)), outputs)
        scores = split_scores(workspace, oof)
        if len(result.scores) != plan.splits or not _alike(result.scores, scores):
            raise DataError(f"it says the score {result.score:.6g}, and its predictions have {np.mean(scores):.6g}")
        if not _alike([result.score], [float(np.mean(scores))]) or not math.isfinite(result.score_se):
            raise DataError(f"its score {result.score:.6g} is not the mean of those of its splits")
        self._check_tested(folder)

    def _check_tested(self, folder: Path) -> None:
        dataset = self.workspace.dataset
        file = folder / f"test-{self.pack.manifest.test_key}.npy"
        if file.is_file() and self.pack.manifest.test_key == dataset.test_key and dataset.test_rows is not None:
            tested = np.load(file, allow_pickle=False)
            check_predictions(file.name, tested, dataset.test_rows, dataset.schema.outputs)


def _alike(said: Sequence[float], found: Sequence[float]) -> bool:
    return bool(np.allclose(said, found, rtol=ROUNDING, atol=1e-9, equal_nan=True))
