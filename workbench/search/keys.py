"""What makes two studies, or two fits, the same."""

from __future__ import annotations

from workbench.types import FamilyRef, MetricRef, TrainingSettings, Value, Values, fingerprint

FORMAT = 6
"""Of what training computes and the vault keeps; raised when an equal configuration would give another result."""


class Ground(Value):
    """What every family of an experiment stands on, and every key begins with."""

    data_key: str
    plan_key: str
    metric: MetricRef
    settings: TrainingSettings
    seed: int
    holdout: str = ""
    """Which rows are set aside; empty without any."""

    def parts(self, family: FamilyRef) -> dict[str, object]:
        """Return what a study's key is made of, by the names under which people know it."""
        return {
            "training data": self.data_key,
            "folds": self.plan_key,
            "metric": self.metric.model_dump(mode="json", exclude={"root"}),
            "training settings": self.settings.identity,
            "seed": self.seed,
            "code": family.code,
            "preparation": family.preparation,
            "feature set": family.features.code if family.features else "",
            "format of fits": FORMAT,
            **({"holdout": self.holdout} if self.holdout else {}),
        }

    def study_key(self, experiment: str, family: FamilyRef) -> str:
        """Return the key of a family's study: editing one factory, or the data, begins a new one."""
        return fingerprint("study", experiment, family.name, self.parts(family))

    def fit_key(self, family: FamilyRef, values: Values, epochs: int | None = None) -> str:
        """Return the key of a fit: equal configurations have equal keys, whoever suggested them.

        ``epochs`` are those that an engine allows it, if it does.
        """
        limit = () if epochs is None else (epochs,)
        return fingerprint("fit", self.parts(family), values, *limit)
