"""What makes two studies, or two fits, the same."""

from __future__ import annotations

from workbench.types import FamilyRef, MetricRef, TrainingSettings, Value, Values, fingerprint

FORMAT = 4
"""Of what training computes and the vault keeps; raised when an equal configuration would give another result."""


class Ground(Value):
    """What every family of an experiment stands on, and every key begins with."""

    data_key: str
    plan_key: str
    metric: MetricRef
    settings: TrainingSettings
    seed: int

    def _parts(self, family: FamilyRef) -> tuple[object, ...]:
        metric = self.metric.model_dump(mode="json", exclude={"root"})
        settings = self.settings.model_dump(mode="json", exclude={"threads"})
        features = family.features.code if family.features else ""
        return (
            *(FORMAT, self.data_key, self.plan_key, metric, settings, self.seed),
            *(family.code, family.preparation, features),
        )

    def study_key(self, experiment: str, family: FamilyRef) -> str:
        """Return the key of a family's study: editing one factory, or the data, begins a new one."""
        return fingerprint("study", experiment, family.name, *self._parts(family))

    def fit_key(self, family: FamilyRef, values: Values) -> str:
        """Return the key of a fit: equal configurations have equal keys, whoever suggested them."""
        return fingerprint("fit", *self._parts(family), values)
