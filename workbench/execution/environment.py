"""A worker's environment: everything that libraries read when they are first imported."""

from __future__ import annotations

import os

from workbench.execution import programs
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
        **(_jax(options, device) if options.backend == "jax" else {}),
        **({"TF_DETERMINISTIC_OPS": "1"} if options.deterministic and options.backend == "tensorflow" else {}),
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


def _jax(options: ExecutorOptions, device: Device) -> dict[str, str]:
    """Tell JAX where compiled programs are kept, and to repeat bits if asked; several cores are as many devices."""
    kept = programs.variables(options.programs, device.threads) if options.programs is not None else {}
    flags = os.environ.get("XLA_FLAGS", "")
    if device.gpu is not None:
        exact = {"XLA_FLAGS": f"{flags} --xla_gpu_deterministic_ops=true".strip()} if options.deterministic else {}
        return {**kept, **exact}
    # A device for each core, so that splits train beside each other. JAX's variable would beat XLA's flag of the user.
    chosen = "JAX_NUM_CPU_DEVICES" in os.environ or "--xla_force_host_platform_device_count" in flags
    return kept if chosen or device.threads == 1 else {**kept, "JAX_NUM_CPU_DEVICES": str(device.threads)}
