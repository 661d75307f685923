"""A worker's environment: everything that libraries read when they are first imported."""

from __future__ import annotations

import os

from workbench.execution.contract import ExecutorOptions
from workbench.execution.devices import Device

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",  # OpenMP: LightGBM, XGBoost, scikit-learn; pyarrow; OpenBLAS and MKL unless told otherwise
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what joblib takes n_jobs=-1 for
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # XLA's pools on the CPU: as many trials a core second as when bound to a core, else a third fewer
)


def environment(options: ExecutorOptions, device: Device) -> dict[str, str]:
    """Return the environment of the worker that has this device.

    Threads are bounded by number, never by pinning to cores: two drivers on one machine would pin to the same ones.
    """
    return {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(device.threads)),
        **_gpu(device),
        "KERAS_BACKEND": options.backend,
        # Threads that wait must not spin: on a busy machine each barrier would cost a time slice.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
    }


def _gpu(device: Device) -> dict[str, str]:
    """Bound the worker to its GPU and its part of the memory, which grows as it is needed."""
    growing = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}
    if device.gpu is None:
        return growing
    fraction = {"XLA_PYTHON_CLIENT_MEM_FRACTION": str(device.fraction)} if device.sharing > 1 else {}
    return {**growing, **fraction, "CUDA_VISIBLE_DEVICES": device.gpu}
