"""Training on TensorFlow gives what ``train_on_batch`` gives."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_training_agrees_with_keras_own_on_tensorflow(repository: Path):
    """In a process of its own: Keras keeps the backend that it first met."""
    script = Path(__file__).with_name("tensorflow_trainer.py")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": str(repository),
    }
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("agreed")
