"""The contest of the throughput benchmark: what contenders get, what is compared, and CPU seconds of processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.contest.contenders import CONTENDERS
from benchmarks.contest.setting import Setting, search_values, write
from benchmarks.contest.table import ratio, table
from benchmarks.measurement import Row
from benchmarks.processes import watched
from benchmarks.throughput import RATIOS, SIZES, _ratios, targets


def row(contender: str, size: int, rate: float) -> Row:
    figures = {"search_s": 9.0, "wall_s": 10.0, "cpu_s": 11.0, "peak_mb": 12.0, "score": 0.3}
    return Row(contender=contender, title=contender, workers=0, rows=size, trials=3, trials_per_minute=rate, **figures)


def test_contenders_get_the_same_folds_and_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SHARED_DATA", str(tmp_path / "absent"))
    first, second = write(tmp_path / "first", 500, 4), Setting.read(tmp_path / "first")
    assert first.values == second.values == tuple(search_values(6)[:4])
    x, y, fold = second.arrays
    assert x.dtype == np.float32
    assert set(y) == {0, 1}
    assert np.ptp(np.bincount(fold)) <= 2
    assert sum(validate.sum() for _, validate in second.parts()) == len(x) == 500


@pytest.mark.parametrize("cores", [2, 4])
def test_each_ratio_that_is_asked_for_is_measured(cores: int) -> None:
    rows = [row(name, size, 6.0 if name == "keras_tuner" else 30.0) for size in SIZES for name in CONTENDERS]
    found = {measurement.name: measurement.value for measurement in _ratios(rows)}
    assert set(found.values()) == {5.0}
    asked = {target.measurement for target in targets(cores)}
    assert {name for name in asked if name.endswith("_times")} == set(found)
    assert set(RATIOS) <= set(CONTENDERS)


def test_the_table_compares_within_a_size() -> None:
    rows = [row("keras_tuner", 1000, 2.0), row("fused_1", 1000, 9.0), row("fused_1", 10_000, 4.0)]
    assert ratio(rows, 1000, "fused_1") == 4.5
    assert ratio(rows, 10_000, "fused_1") is None
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table(rows))
    assert "10,000 rows" in shown.get()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no resource usage of children")
def test_cpu_seconds_are_of_children_too(tmp_path: Path) -> None:
    busy = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    assert 0.2 <= watched([sys.executable, "-c", code], folder=tmp_path).cpu_seconds < 5.0
