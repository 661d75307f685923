"""What a user's code and a machine can do to a training, and what the trial's failure says of it."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import numpy as np
import pytest

from workbench.errors import FactoryError, StoreError, TrialFailed
from workbench.execution.contract import answer
from workbench.store import vault
from workbench.training import material
from workbench.training.faults import diagnosed
from workbench.training.runner import run
from workbench.types import Failed, Failure, Job

ESTIMATOR = """
import sys
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class Own(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        {fit}
        return self

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]

    def predict_proba(self, X):
        return {proba}

def build(hp):
    {build}
    return Own()
"""


def failure(job: Job) -> Failure:
    event = answer(run, job, lambda _: False)
    assert isinstance(event, Failed)
    return event.failure


def source(fit: str = "pass", proba: str = "np.full((len(X), 2), 0.5)", build: str = "pass") -> str:
    return ESTIMATOR.format(fit=fit, proba=proba, build=build)


@pytest.mark.parametrize(
    ("options", "code", "message", "line"),
    [
        ({"build": "raise KeyError('colour')"}, "factory", "raised KeyError: 'colour'", "raise KeyError('colour')"),
        ({"build": "return 7"}, "factory", "expected a compiled keras.Model.*got 7", ""),
        ({"build": "sys.exit(3)"}, "factory", r"sys.exit\(3\) was called", "sys.exit(3)"),
        ({"fit": "sys.exit()"}, "factory", r"sys.exit\(None\) was called", "sys.exit()"),
        ({"proba": "np.full((len(X), 2), np.nan)"}, "nonfinite", "predictions are not finite", ""),
        ({"fit": "raise MemoryError('no 3 GB')"}, "oom", "out of memory: no 3 GB", "raise MemoryError"),
        ({"build": "raise MemoryError('no 3 GB')"}, "oom", "out of memory: no 3 GB", "raise MemoryError"),
        ({"fit": "raise OSError(28, 'No space left on device')"}, "disk", "no space left", "raise OSError"),
    ],
)
def test_a_fault_has_a_code_and_the_users_lines(make_job, own_factory, options, code, message, line) -> None:
    found = failure(make_job("binary", own_factory(source(**options)), rows=40))
    assert found.code == code
    assert re.search(message, found.message)
    assert line in found.traceback


def test_a_factory_that_was_edited_meanwhile_gives_no_result_under_its_old_key(make_job, own_factory) -> None:
    job = make_job("binary", own_factory(source()), rows=40)
    own_factory(source(proba="np.full((len(X), 2), 0.25)"))
    assert "factory 'own': factories.py was edited since the run began; run again" in failure(job).message
    assert not job.vault.exists()


def test_a_prediction_of_another_shape_names_both(make_job, own_factory) -> None:
    job = make_job(
        "regression", own_factory(source().replace("self.classes_[np.zeros(len(X), dtype=int)]", "X[:, :3]"))
    )
    found = failure(job)
    assert found.code == "shape"
    assert "shape (50, 3), expected (50, 1)" in found.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 17179869184 bytes."), "oom"),
        (ValueError("[10:01] std::bad_alloc"), "oom"),
        (Exception("CUDA out of memory. Tried to allocate 2.00 GiB"), "oom"),
        (type("ResourceExhaustedError", (Exception,), {})("failed to allocate"), "oom"),
        (StoreError("the vault cannot be written: [Errno 122] Disk quota exceeded"), "disk"),
        (OSError(errno.EDQUOT, "quota"), "disk"),
        (FactoryError("say: out of memory"), None),
        (ValueError("3 is not 4"), None),
    ],
)
def test_libraries_say_it_in_many_ways(error: Exception, code: str | None) -> None:
    found = diagnosed(error)
    assert (None if found is None else found.code) == code
    try:
        raise FactoryError("the model cannot be trained") from error
    except FactoryError as wrapped:
        again = diagnosed(wrapped)
    assert (None if again is None else again.code) == code


def test_after_an_out_of_memory_nothing_is_kept(make_job, own_factory) -> None:
    job = make_job("binary", own_factory(source(fit="raise MemoryError")))
    with pytest.raises(TrialFailed):
        run(job, lambda _: False)
    assert not material._prepared._values
    assert not material._datasets._values


def test_a_full_disk_ends_the_fit_and_leaves_no_half_of_it(make_job, monkeypatch) -> None:
    def full(file: object, *_: object, **__: object) -> None:
        Path(str(file)).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    job = make_job("binary", "dummy")
    with monkeypatch.context() as patch:
        patch.setattr(vault.np, "savez", full)
        with pytest.raises(TrialFailed, match="no space left") as caught:
            run(job, lambda _: False)
    assert caught.value.code == "disk"
    assert not vault.Vault(job.vault).has(job.fit_key)
    assert np.isfinite(run(job, lambda _: False).score)
