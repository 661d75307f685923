"""A runner without Keras: a configuration's score is a formula of its values, and faults are values too.

``x`` and ``y`` give the score (a bowl with its minimum 0 at x = 0.3, y = 2); ``sleep`` seconds pass in each of 4 epochs
of each of 3 splits; ``fault`` is ``none``, ``raise``, ``nonfinite``, ``exit``, ``kill`` (SIGKILL of its own process),
``kill once``, ``kill late`` (once, in the second split, with which the next attempt goes on), ``hang``, ``hang deaf``
(to SIGTERM), ``infinite score``, ``allocate`` or ``oom at full batch``. A job's ``seconds`` end its training early; a
screening runs its splits and epochs alone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workbench.errors import FactoryError, TrialFailed, TrialStopped
from workbench.store.vault import Vault, write_predictions, write_result
from workbench.types import Description, Job, Parameter, Reported, Space, TrialResult

SPLITS = 3
EPOCHS = 4
SPACE = Space(
    parameters=(
        Parameter(name="x", kind="float", low=-1.0, high=1.0, default=0.0),
        Parameter(name="y", kind="int", low=0, high=8, default=4),
    )
)


def run(job: Job, report: Callable[[Reported], bool]) -> Description | TrialResult:
    """Answer a job."""
    if job.kind == "describe":
        return Description(space=SPACE, weights=2)
    if job.vault is None:
        raise TrialFailed("internal", "a fit needs a vault")
    vault = Vault(job.vault)
    if job.screen is None and vault.has(job.fit_key):
        return vault.result(job.fit_key).model_copy(update={"cached": True})
    _count_execution(job)
    _fault(str(job.values.get("fault", "none")), job)
    bowl = (float(job.values["x"]) - 0.3) ** 2 + (float(job.values["y"]) - 2.0) ** 2
    until = None if job.seconds is None else time.monotonic() + job.seconds
    truncated = False
    splits = tuple(range(SPLITS)) if job.screen is None else job.screen.splits
    epochs = min(EPOCHS, job.epochs or EPOCHS, (job.screen and job.screen.epochs) or EPOCHS)
    for split in splits:
        if split < _taken_up(job):
            continue
        for epoch in range(1, epochs + 1):
            truncated = until is not None and time.monotonic() > until
            if truncated:
                break
            time.sleep(float(job.values.get("sleep", 0.0)))
            value = bowl + 0.01 * split + 1.0 / epoch
            if report(Reported(job_id=job.job_id, split=split, epoch=epoch, value=value, loss=value / 2)):
                raise TrialStopped
            if (split, epoch, job.values.get("fault")) == (1, 2, "kill late"):
                _kill_once(job)
    bowl = np.inf if job.values.get("fault") == "infinite score" else bowl
    scores = tuple(bowl + 0.01 * split for split in splits)
    result = TrialResult(
        score=float(np.mean(scores)),
        score_se=float(np.std(scores, ddof=1) / np.sqrt(SPLITS)) if len(scores) > 1 else 0.0,
        scores=scores,
        values=job.values,
        best_epochs=(epochs,) * len(splits),
        epochs=(epochs,) * len(splits),
        fit_s=0.01,
        fit_key=f"{job.fit_key}-{job.job_id}" if truncated else job.fit_key,
        truncated=truncated,
        screened=job.screen is not None,
        batch_scale=job.batch_scale,
    )
    if result.screened:
        return result
    with vault.writing(result.fit_key) as folder:
        write_predictions(folder, [np.full((4, 1), bowl) for _ in range(SPLITS)], None, "")
        write_result(folder, result)
    return result


def _count_execution(job: Job) -> None:
    """Leave a line for each execution, so that tests can see that no finished work was done twice."""
    if job.vault is not None:
        job.vault.mkdir(parents=True, exist_ok=True)
        with (job.vault / "executions.log").open("a") as log:
            log.write(json.dumps({"fit_key": job.fit_key, "values": job.values}) + "\n")


def _fault(fault: str, job: Job) -> None:
    if fault == "raise":
        try:
            raise ValueError("boom")
        except ValueError as error:
            raise FactoryError("factories.py: ValueError: boom") from error
    if fault == "nonfinite":
        raise TrialFailed("nonfinite", "the loss is NaN in epoch 1")
    if fault == "exit":
        sys.exit(3)
    if fault == "hang deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if fault in ("hang", "hang deaf"):
        time.sleep(3600)
    if fault == "allocate":
        held = []
        while True:
            held.append(np.ones(4_000_000))
            time.sleep(0.05)
    if fault == "oom at full batch" and job.batch_scale == 1.0:
        raise TrialFailed("oom", "out of memory: RESOURCE_EXHAUSTED")
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "kill once":
        _kill_once(job)


def _kill_once(job: Job) -> None:
    marker = _marker(job)
    if not marker.exists():
        marker.touch()
        time.sleep(0.2)  # what was reported is on its way
        os.kill(os.getpid(), signal.SIGKILL)


def _taken_up(job: Job) -> int:
    """Return the split that an attempt goes on with."""
    return int(job.values.get("fault") == "kill late" and _marker(job).exists())


def _marker(job: Job) -> Path:
    if job.vault is None:
        raise TrialFailed("internal", "a fit needs a vault")
    return job.vault / "killed"
