"""Splits on several devices, which needs a process that begins with them: what a worker with several cores is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SMALL = {"embedding": 2, "depth": 1, "units": 16}
TRAIN = """
import json, sys
from pathlib import Path
from workbench.training.runner import run
from workbench.types import Job

job = Job.model_validate_json(Path(sys.argv[1]).read_text("utf-8"))
for fuse in ("map", "shard", "auto"):
    settings = job.settings.model_copy(update={"fuse": fuse})
    result = run(job.model_copy(update={"settings": settings}), lambda _: False)
    print(json.dumps([result.fused, result.scores, result.epochs]))
"""


def test_several_devices_train_the_same_bit_for_bit(make_job, tmp_path) -> None:
    # Three splits: one device has an empty place.
    job = make_job("binary", "wide_and_deep", vault=None, epochs=3, values=SMALL)
    (tmp_path / "job.json").write_text(job.model_dump_json(), "utf-8")
    command = [sys.executable, "-W", "ignore", "-c", TRAIN, str(tmp_path / "job.json")]
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_NUM_CPU_DEVICES": "2", "NPROC": "2"}
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    results = [json.loads(line) for line in told.splitlines()]
    assert [fused for fused, *_ in results[:2]] == ["map", "shard"]
    assert results[2][0] in ("map", "shard"), "what was measured to be faster"
    assert results[0][1:] == results[1][1:] == results[2][1:]
