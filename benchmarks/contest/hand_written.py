"""The contest's network by hand: plain JAX and an Adam of a few lines, all splits and epochs of a trial one program.

What the workbench does beside this work is its own cost. ``python -m benchmarks.contest.hand_written FOLDER`` trains a
trial for each line of its input, and prints its seconds, and those of them on a core; the first one compiles.
"""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from benchmarks.contest.setting import BATCH, DEFAULTS, EPOCHS, SPLITS, Setting, log_loss

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-7


def forward(params: Any, x: Any, keys: Any, rate: Any) -> Any:
    """Return probabilities ``(rows,)``; dropout where there are ``keys``."""
    for layer, (kernel, bias) in enumerate(params[:-1]):
        x = jax.nn.relu(x @ kernel + bias)
        if keys is not None:
            x = jnp.where(jax.random.bernoulli(keys[layer], 1.0 - rate, x.shape), x / (1.0 - rate), 0.0)
    kernel, bias = params[-1]
    return jax.nn.sigmoid(x @ kernel + bias)[:, 0]


def loss(params: Any, x: Any, y: Any, keys: Any, rate: Any) -> Any:
    """Return the mean log loss, as Keras computes it of probabilities."""
    p = jnp.clip(forward(params, x, keys, rate), EPSILON, 1.0 - EPSILON)
    return -jnp.mean(y * jnp.log(p) + (1.0 - y) * jnp.log(1.0 - p))


def adam(params: Any, moments: Any, grads: Any, step: Any, lr: Any) -> Any:
    """Return parameters and moments after a step (Kingma and Ba, 2015, as Keras orders it)."""
    scale = lr * jnp.sqrt(1.0 - BETA_2**step) / (1.0 - BETA_1**step)
    first = jax.tree.map(lambda m, g: m + (g - m) * (1.0 - BETA_1), moments[0], grads)
    second = jax.tree.map(lambda v, g: v + (g * g - v) * (1.0 - BETA_2), moments[1], grads)
    moved = jax.tree.map(lambda p, m, v: p - scale * m / (jnp.sqrt(v) + EPSILON), params, first, second)
    return moved, (first, second)


@jax.jit
def train(params: Any, orders: Any, watched: Any, keys: Any, x: Any, y: Any, lr: Any, rate: Any) -> Any:
    """Return probabilities of the watched rows after each epoch, ``(splits, epochs, rows)``.

    What is of a split has an axis of them first; ``orders`` is ``(splits, epochs, steps, batch)``.
    """

    def step(carry: Any, rows: Any) -> Any:
        params, moments, number, key = carry
        key, *drops = jax.random.split(key, 3)
        grads = jax.grad(loss)(params, x[rows], y[rows], drops, rate)
        params, moments = adam(params, moments, grads, number, lr)
        return (params, moments, number + 1.0, key), None

    def split(given: Any) -> Any:
        params, orders, watched, key = given
        zeros = jax.tree.map(jnp.zeros_like, params)

        def epoch(carry: Any, order: Any) -> Any:
            carry, _ = jax.lax.scan(step, carry, order)
            return carry, forward(carry[0], x[watched], None, rate)

        return jax.lax.scan(epoch, (params, (zeros, zeros), jnp.float32(1.0), key), orders)[1]

    return jax.lax.map(split, (params, orders, watched, keys))


def trial(setting: Setting, seed: int) -> float:
    """Train a configuration on every split; return the mean log loss of each one's best epoch."""
    x, y, _ = setting.arrays
    rng = np.random.default_rng(seed)
    parts = [(np.flatnonzero(train), np.flatnonzero(validate)) for train, validate in setting.parts()]
    # Splits of one size, as the class counts may leave them a row apart.
    watch = min(len(validate) for _, validate in parts)
    steps = min(len(train) for train, _ in parts) // BATCH
    orders = np.stack([_orders(rng, train, steps) for train, _ in parts])
    watched = np.stack([validate[:watch] for _, validate in parts])
    keys = jax.random.split(jax.random.key(seed), SPLITS)
    told = (np.float32(10.0 ** rng.uniform(-4, -2)), np.float32(rng.uniform(0.0, 0.5)))
    found = np.asarray(train(_initial(rng, x.shape[1]), orders, watched, keys, x, y.astype(np.float32), *told))
    losses = [[log_loss(y[rows], p) for p in epochs] for rows, epochs in zip(watched, found, strict=True)]
    return float(np.mean(np.min(losses, axis=1)))


def _orders(rng: np.random.Generator, rows: NDArray[np.intp], steps: int) -> NDArray[np.int32]:
    drawn = [rng.permutation(rows)[: steps * BATCH].reshape(steps, BATCH) for _ in range(EPOCHS)]
    return np.stack(drawn).astype(np.int32)


def _initial(rng: np.random.Generator, features: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Draw kernels as Glorot and Bengio (2010) for each split."""
    widths = (features, DEFAULTS["width"], DEFAULTS["width"], 1)
    drawn = []
    for before, after in pairwise(widths):
        limit = np.sqrt(6.0 / (before + after))
        kernels = rng.uniform(-limit, limit, (SPLITS, before, after)).astype(np.float32)
        drawn.append((kernels, np.zeros((SPLITS, after), dtype=np.float32)))
    return drawn


def main(folder: Path) -> None:
    """Train a trial for each line that comes in; print its seconds, its CPU seconds and its score."""
    setting = Setting.read(folder)
    for seed, _ in enumerate(sys.stdin):
        began, worked = time.perf_counter(), time.process_time()
        score = trial(setting, seed)
        print(time.perf_counter() - began, time.process_time() - worked, score, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
