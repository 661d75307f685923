import os
from pathlib import Path

import pytest

from workbench.training.memory import begin_peak, gpu_peak_mb, peak_mb
from workbench.training.threads import usable_threads

MB = 10**6


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="this system keeps no mark to set back")
def test_the_peak_is_that_of_the_time_since_its_begin():
    begin_peak()
    before = peak_mb()
    held = bytearray(200 * MB)
    with_it = peak_mb()
    del held
    assert with_it > before + 150
    assert peak_mb() == pytest.approx(with_it, abs=20)
    begin_peak()
    assert peak_mb() < before + 50
    assert gpu_peak_mb() == 0.0


def test_a_worker_trains_on_its_share_of_the_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert usable_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "no number")
    assert usable_threads() == (len(os.sched_getaffinity(0)) if Path("/proc").exists() else os.cpu_count())
