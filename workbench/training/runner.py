"""The runner: what a worker does with a job. Execution knows it by its dotted name only."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from workbench.errors import FactoryError
from workbench.training import release, setup_clock
from workbench.training.build import use_backend
from workbench.training.describe import describe
from workbench.training.faults import diagnosed, forget
from workbench.training.fit import fit
from workbench.training.material import open_material
from workbench.training.memory import begin_peak
from workbench.training.storing import stored
from workbench.types import Description, Job, Reported, TrialResult


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
    setup_clock.begin()
    with warnings.catch_warnings():
        # A factory's warnings are its author's affair; what is wrong is told by errors.
        warnings.simplefilter("ignore")
        try:
            material = open_material(job)
            if job.kind == "describe":
                return describe(material)
            return stored(material) or fit(material, report)
        except SystemExit as error:
            raise FactoryError(f"sys.exit({error.code!r}) was called; raise an error instead") from error
        except Exception as error:
            failure = diagnosed(error)
            if failure is None:
                raise
            if failure.code == "oom":
                forget(error)
                release.everything()
            raise failure from error
        finally:
            release.after_fit()
