"""The runner: what a worker does with a job. Execution knows it by its dotted name only."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from workbench.errors import TrialFailed
from workbench.training.build import use_backend
from workbench.training.describe import describe
from workbench.training.fit import fit
from workbench.training.material import open_material
from workbench.training.memory import begin_peak
from workbench.training.storing import stored
from workbench.types import Description, Job, Reported, TrialResult

OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "out of memory", "bad_alloc", "OOM when allocating")


def run(job: Job, report: Callable[[Reported], bool]) -> Description | TrialResult:
    """Describe a factory, or fit one configuration on every split.

    ``report`` gets each epoch's validation value; when it answers True the job ends.

    Raises:
        FactoryError: the user's factory, metric or table cannot be used together.
        TrialFailed: with one of the codes of `workbench.types.FailureCode`.
        TrialStopped: a report was answered with True.
    """
    use_backend(job.settings.backend)
    begin_peak()
    with warnings.catch_warnings():
        # A factory's warnings are its author's affair; what is wrong is told by errors.
        warnings.simplefilter("ignore")
        try:
            material = open_material(job)
            if job.kind == "describe":
                return describe(material)
            return stored(material) or fit(material, report)
        except MemoryError as error:
            raise TrialFailed("oom", f"out of memory: {error}") from error
        except RuntimeError as error:
            if any(sign in str(error) for sign in OUT_OF_MEMORY):
                raise TrialFailed("oom", f"out of memory: {str(error)[:500]}") from error
            raise
