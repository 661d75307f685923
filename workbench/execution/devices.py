"""Which worker works where: a GPU, or a part of one, or a share of the cores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from workbench.execution.contract import ExecutorOptions
from workbench.execution.machine import Machine
from workbench.wording import counted

WORKER_BYTES = 1.2e9
"""What a worker takes by rule of thumb: one with Keras, JAX and a table of some MB holds 0.8 to 1.1 GB."""
USED = 0.9
"""Of a machine's or a GPU's memory; the rest is the driver's, the projector's and the system's."""


@dataclass(frozen=True)
class Device:
    """What one worker has to itself.

    ``threads`` bounds each of its libraries, ``memory_mb`` (10^6 bytes) what it may hold. On a GPU (``gpu`` as
    ``CUDA_VISIBLE_DEVICES`` calls it) ``fraction`` of the GPU's memory is its own; ``sharing`` workers are there.
    """

    slot: int
    threads: int
    memory_mb: float
    gpu: str | None = None
    fraction: float = USED
    sharing: int = 1

    @property
    def name(self) -> str:
        """The GPU as people read it: ``gpu:0``, or its UUID; empty without one, where workers differ in nothing."""
        if self.gpu is None:
            return ""
        return f"gpu:{self.gpu}" if self.gpu.isdigit() else self.gpu


def plan(machine: Machine, options: ExecutorOptions) -> list[Device]:
    """Return a device for each worker.

    Without a number there are ``workers_per_gpu`` for each GPU; without a GPU one for each core, as far as there is
    memory for them. A number that was given is kept to; on GPUs the workers are dealt out in turn.
    """
    count = options.workers or _fitting(machine, options)
    threads = max(1, machine.cores // count)
    held = float(options.worker_memory or USED * machine.memory / count / 1e6)
    if not machine.gpus:
        return [Device(slot, threads, held) for slot in range(count)]
    names = [machine.gpus[slot % len(machine.gpus)].name for slot in range(count)]
    workers = Counter(names)
    return [
        Device(slot, threads, held, name, round(USED / workers[name], 4), workers[name])
        for slot, name in enumerate(names)
    ]


def _fitting(machine: Machine, options: ExecutorOptions) -> int:
    if machine.gpus:
        return options.workers_per_gpu * len(machine.gpus)
    each = max(WORKER_BYTES, (options.worker_memory or 0) * 1e6)
    return max(1, min(machine.cores, int(machine.available / each)))


def describe(devices: list[Device]) -> str:
    """Return what works, as people read it: ``4 workers, 1 core each``."""
    workers, first = len(devices), devices[0]
    cores = counted(first.threads, "core")
    if first.gpu is not None:
        gpus = len({device.gpu for device in devices})
        return f"{counted(workers, 'worker')} on {counted(gpus, 'GPU')}"
    return f"{counted(workers, 'worker')}, {cores}" + (" each" if workers > 1 else "")
