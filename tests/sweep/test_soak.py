"""Minutes of killing: whatever dies, and however often, the budget is exact and no finished trial is run again."""

import random
import signal
import subprocess
import sys
import time

import pytest

from tests.sweep.conftest import YAML, make_experiment
from tests.sweep.test_sweep import mlflow_runs, trials

pytestmark = pytest.mark.soak

TRIALS = 60


def test_a_sweep_whose_driver_is_killed_again_and_again(tmp_path):
    folder = make_experiment(tmp_path / "small", YAML.replace("trials: 4", f"trials: {TRIALS}"))
    command = [sys.executable, "-m", "workbench.cli", "run", str(folder)]
    generator = random.Random(0)
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            assert process.wait(timeout=generator.uniform(8, 20)) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        if kills > 8:
            # Let it end now: the delivery takes longer than the kills allow on a slow machine.
            assert subprocess.run(command, check=False, capture_output=True).returncode == 0
            break
    assert kills > 0
    found = trials(folder)
    assert [(family, number) for family, number, *_ in found] == [("dummy", 0)] + [
        ("lightgbm", number) for number in range(TRIALS)
    ]
    assert {state for _, _, state, _, _ in found} == {"complete"}
    time.sleep(1.0)
    runs = mlflow_runs(folder)
    assert "RUNNING" not in {status for _, status in runs}
    assert sorted(name for name, _ in runs if "#" in name) == sorted(f"{f}#{n:04d}" for f, n, *_ in found)
