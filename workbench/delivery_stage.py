"""The delivery part of a sweep: the blend, the exported model, and the submission that this model predicts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.blend_stage import blend_settings, blend_trials, predict_test
from workbench.blending.result import BlendResult, MemberRef
from workbench.data.readers import read_table
from workbench.delivery.export import ExportSpec
from workbench.delivery.layout import OutputLayout, layout_frame, make_layout
from workbench.delivery.leaderboard import Entry, Row, leaderboard
from workbench.delivery.process import export_in_process
from workbench.delivery.refit import Refits
from workbench.delivery.submission import expected_ids, write_submission
from workbench.errors import ConfigError, NothingToDeliver, StoreError, WorkbenchError
from workbench.metrics import ranked_labels
from workbench.types import fingerprint
from workbench.workspace import Workspace

KEPT_BUNDLES = 10
"""So many fits of a family keep the models of their folds, beside every member of the blend."""

TOLERANCE = 1e-4
"""Difference allowed between the exported model and the predictions of training, as a part of a column's largest value.

Not of each cell's value: a regression target crosses 0, where a relative difference means nothing. float32 resolves
1e-7 (its epsilon). This leaves a factor of 100 for sums in another order (batches, threads), and of 10 for the
exponential of a target that was learnt as a logarithm: it multiplies an error by that, 14 for a value of a million.
"""


@dataclass(frozen=True)
class Delivery:
    """Delivers a workspace's best trials into a folder."""

    workspace: Workspace
    folder: Path

    @cached_property
    def sample(self) -> pd.DataFrame | None:
        """The sample submission."""
        data = self.workspace.experiment.config.data
        if data.sample_submission is None:
            return None
        path = self.workspace.experiment.root / data.sample_submission
        return read_table(path, text=self._id_columns, encoding=data.encoding)

    @cached_property
    def layout(self) -> OutputLayout:
        """The columns of the submission."""
        workspace = self.workspace
        metric = workspace.metric
        return make_layout(workspace.dataset.schema, metric.needs, self.sample, ranked=ranked_labels(metric))

    @property
    def _id_columns(self) -> tuple[str, ...]:
        identifier = self.workspace.experiment.config.data.id
        return () if identifier is None else (identifier,)

    def check(self) -> None:
        """Look at the sample submission and the ensemble's options before anything is searched.

        Raises:
            ConfigError: the ensemble method has no such option.
            DataError: the sample's columns cannot be understood, or it asks for rows that the test table does not have.
        """
        expected_ids(self.layout, self.workspace.dataset.test_ids, self.sample)
        config, outputs = self.workspace.experiment.config, self.workspace.dataset.schema.outputs
        _ = blend_settings(config.ensemble, config.seed).pipelines
        if config.ensemble.per_class and outputs == 1:
            raise ConfigError("ensemble.per_class is for three classes or more; leave it out")

    def key(self) -> str:
        """Return a key of everything that a delivery depends on: equal keys deliver the same."""
        workspace = self.workspace
        complete = [(trial.name, trial.result.fit_key) for trial in workspace.trials() if trial.result is not None]
        lent = workspace.lent(KEPT_BUNDLES)
        ensemble = workspace.experiment.config.ensemble.model_dump(mode="json")
        layout = self.layout.model_dump(mode="json")
        return fingerprint(
            "delivery", workspace.ground.model_dump(mode="json"), complete, lent, ensemble, layout, self._test()
        )

    def _test(self) -> list[str]:
        asked = [] if self.sample is None else [str(value) for value in self.sample.iloc[:, 0]]
        return [self.workspace.dataset.test_key, fingerprint(asked)]

    def blend(self) -> BlendResult:
        """Fit the blend of the best trials of each family.

        Raises:
            NothingToDeliver: no trial is complete.
        """
        return blend_trials(self.workspace)

    def exportable(self, blended: BlendResult) -> BlendResult:
        """Return the blend, or one without the members that have predictions and no model.

        Those came from elsewhere, or their models were not kept; one's own are refitted where that is asked for.

        Raises:
            NothingToDeliver: there is no other member.
        """
        if not self.without_models(blended):
            return blended
        if not self.workspace.candidates(1):
            raise NothingToDeliver(
                "all members of the blend are predictions without models, so there is no model to export; "
                "run some trials of your own, or write submissions alone: workbench finalists DIR"
            )
        return blend_trials(self.workspace, unbundled=False)

    def without_models(self, blended: BlendResult) -> list[MemberRef]:
        """Return the members that count and cannot be exported."""
        refitted = self.workspace.experiment.config.ensemble.final is not None
        own = {family.name for family in self.workspace.families if refitted}
        counting = [member for member in blended.members if member.weight > 0 and member.family not in own]
        return [member for member in counting if not self.workspace.bundled(member.fit_key)]

    def submit(self, blended: BlendResult) -> Path | None:
        """Write the submission of a blend's stored predictions, as no model can predict it; ``None`` without a test.

        Raises:
            DataError: the submission is not valid.
        """
        dataset = self.workspace.dataset
        if self.workspace.experiment.config.data.test is None:
            return None
        predicted = predict_test(self.workspace, blended)
        return self._write(layout_frame(predicted, self.layout, dataset.test_ids))

    def _write(self, predicted: pd.DataFrame) -> Path:
        path, ids = self.folder / "submission.csv", self.workspace.dataset.test_ids
        return write_submission(predicted, path, layout=self.layout, test_ids=ids, sample=self.sample)

    def leaderboard(
        self,
        blended: BlendResult | None,
        per_family: int = 1,
        refits: Refits = Refits(),  # noqa: B008 - it is frozen
    ) -> tuple[Row, ...]:
        """Return the blend and the best trials, best first."""
        entries = [
            Entry(t.family, t.number, t.result, promoted=t.stage == "promoted")
            for t in self.workspace.trials()
            if t.result is not None
        ]
        direction = self.workspace.metric.direction
        return leaderboard(entries, blended, direction, per_family=per_family, note=refits.note)

    @property
    def model(self) -> Path:
        """The folder of the exported model."""
        return self.folder / "model"

    def export(self, blended: BlendResult, refits: Refits = Refits()) -> Path | None:  # noqa: B008 - it is frozen
        """Write the blend as an MLflow model, and the submission that this model predicts from the raw test table.

        Members that were refitted on all rows predict by these models.

        Returns:
            The submission; ``None`` without a test table.

        Raises:
            DataError: the submission is not valid.
            WorkbenchError: the model does not give the predictions of training back.
        """
        experiment, data = self.workspace.experiment, self.workspace.experiment.config.data
        predictions, delivered = self.folder / "predictions.csv", refits.applied(blended)
        metadata = {"data": self.workspace.dataset.key, "folds": self.workspace.plan.key}
        spec = ExportSpec(
            folder=self.model,
            experiment=experiment.name,
            blend=delivered,
            vault=self.workspace.vault.root,
            table=self.workspace.dataset.schema,
            splits=self.workspace.plan.splits,
            refitted=refits.seeds,
            columns=self.workspace.raw_matrix.state() if delivered.blend.reads_features else None,
            layout=self.layout,
            example=experiment.root / (data.test or data.train),
            code_root=experiment.root,
            metadata=metadata | ({"refitted": refits.note} if refits.note else {}),
            rows=None if data.test is None else experiment.root / data.test,
            encoding=data.encoding,
            predictions=predictions,
        )
        export_in_process(spec)
        if data.test is None:
            return None
        predicted = read_back(predictions, self.layout)
        predictions.unlink()
        self._verify(delivered, predicted)
        return self._write(predicted)

    def keep_bundles(self, *blends: BlendResult) -> None:
        """Remove the fold models of fits that are neither among a family's best nor in one of the blends."""
        workspace = self.workspace
        count = max(KEPT_BUNDLES, workspace.experiment.config.ensemble.per_family)
        kept = [c.fit_key for c in workspace.candidates(count)]
        kept += [member.fit_key for blended in blends for member in blended.members]
        among = [trial.result.fit_key for trial in workspace.trials() if trial.result is not None]
        workspace.vault.keep_bundles(kept, among)

    def _verify(self, blended: BlendResult, predicted: pd.DataFrame) -> None:
        """Compare with what the members predicted right after their training, where the vault has that."""
        dataset = self.workspace.dataset
        try:
            stored = predict_test(self.workspace, blended)
        except StoreError:  # the test table is newer than the fits
            return
        expected = layout_frame(stored, self.layout, dataset.test_ids)
        for column in self.layout.predictions:
            left, right = predicted[column], expected[column]
            named = self.layout.kind in ("label", "ranking")
            unit = "rows" if named else "largest value"
            if named:
                different = float((left.astype(str).to_numpy() != right.astype(str).to_numpy()).mean())
                wrong = different > 0.001
            else:
                different = difference(left.to_numpy(np.float64), right.to_numpy(np.float64))
                wrong = not different <= TOLERANCE  # so that NaN is wrong too
            if wrong:
                raise WorkbenchError(
                    f"the exported model does not give the predictions of training back: column '{column}' differs by "
                    f"{different:.2g} of its {unit}; the model in {self.model} was not delivered"
                )


def read_back(file: Path, layout: OutputLayout) -> pd.DataFrame:
    """Read predictions as they were written: a text label or id such as ``01`` or ``NA`` is no number and no gap."""
    labelled = layout.kind == "label" and all(isinstance(value, str) for value in layout.classes)
    labelled = labelled or layout.kind == "ranking"
    text = ({layout.id} if layout.id is not None else set()) | (set(layout.predictions) if labelled else set())
    return pd.read_csv(
        file,
        dtype=dict.fromkeys(text, "str"),
        keep_default_na=False,
        na_values={name: [""] for name in layout.columns if name not in text},
    )


def difference(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return the largest difference of two columns ``(rows,)``, as a part of the largest value of ``right``."""
    return float(np.max(np.abs(left - right)) / max(float(np.max(np.abs(right))), 1e-6))
