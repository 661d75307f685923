"""A runner that compiles three programs, and says of how many JAX found the machine code on disk."""

from __future__ import annotations

import os
import sys

from workbench.types import TrialResult


def run(job, _report):
    import jax
    import jax.numpy as jnp

    hits = []
    jax.monitoring.register_event_listener(lambda event, **_: hits.append(event.endswith("/cache_hits")))
    jax.clear_caches()
    x = jnp.arange(8.0)
    sums = tuple(float(jax.jit(lambda x, n=n: (jnp.sin(x) * n).sum())(x)) for n in range(3))
    assert abs(sums[2] - 2 * sums[1]) < 1e-5
    print(len(jax.devices()), "devices", os.getpid(), file=sys.stderr)
    return TrialResult(score=float(sum(hits)), score_se=0.0, scores=(float(len(jax.devices())),), values=job.values)
