"""Benchmarks: medians, targets, JSON, exit codes, and processes under a stopwatch."""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.harness import Benchmark, main, repeated
from benchmarks.machine import usable_cores
from benchmarks.measurement import Measurement, Result, Target, shortfalls
from benchmarks.processes import Run, bound, seconds_of, watched
from benchmarks.startup import TARGETS, _parts

FINITE = st.floats(-1e6, 1e6)


def measured(name: str, *repeats: float) -> Measurement:
    return Measurement(name=name, title=name, repeats=repeats)


def fake(quick: bool) -> Iterator[Measurement]:
    yield measured("fast_s", 0.3, 0.1, 0.2)
    if not quick:
        yield measured("slow_s", 9.0)


def benchmark(limit: float, slow_limit: float = 10.0) -> Benchmark:
    targets = (
        Target(measurement="fast_s", limit=limit),
        Target(measurement="slow_s", limit=slow_limit, quick=False),
    )
    return Benchmark("fake", "Fake", fake, targets)


@given(st.lists(FINITE, min_size=1, max_size=9))
def test_a_value_is_the_median_of_its_repeats(repeats: list[float]) -> None:
    assert measured("x", *repeats).value == statistics.median(repeats)


@given(FINITE, FINITE)
def test_a_bound_holds_on_one_side_only(value: float, limit: float) -> None:
    below, above = (Target(measurement="x", limit=limit, bound=bound) for bound in ("below", "above"))
    assert below.met(value) == (value < limit)
    assert above.met(value) == (value > limit)
    assert not below.met(math.nan)
    assert not above.met(math.nan)


def test_what_was_not_measured_is_a_shortfall_of_a_full_run_only() -> None:
    targets = (Target(measurement="gone_s", limit=1.0, quick=False),)
    assert shortfalls([], targets, quick=True) == ()
    assert shortfalls([], targets, quick=False) == ("gone_s: not measured; expected below 1",)


@pytest.mark.parametrize(
    ("options", "limit", "slow_limit", "code"),
    [
        ([], 0.1, 1.0, 0),
        (["--check"], 0.5, 10.0, 0),
        (["--check"], 0.1, 10.0, 1),
        (["--check"], 0.5, 8.0, 1),
        (["--check", "--quick"], 0.5, 8.0, 0),
    ],
)
def test_only_a_check_fails_and_only_on_what_was_asked_for(options, limit, slow_limit, code) -> None:
    assert main(benchmark(limit, slow_limit), options) == code


def test_a_check_names_every_shortfall(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(benchmark(0.1, 8.0), ["--check"]) == 1
    said = capsys.readouterr().out
    assert "missed: fast_s: 0.2 s, expected below 0.1 s" in said
    assert "missed: slow_s: 9 s, expected below 8 s" in said


def test_the_json_says_all_that_the_table_says(tmp_path: Path) -> None:
    file = tmp_path / "results" / "fake.json"
    main(benchmark(0.1), ["--json", str(file)])
    written = json.loads(file.read_text("utf-8"))
    assert written["measurements"][0]["value"] == 0.2
    assert written["shortfalls"] == ["fast_s: 0.2 s, expected below 0.1 s"]
    assert written["machine"]["cores"] == len(usable_cores())
    assert written["versions"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert Result.model_validate(written).measurements == tuple(fake(quick=False))


def test_repeats_are_measured_one_by_one() -> None:
    values = iter([3.0, 1.0, 2.0])
    assert repeated("x", "x", lambda: next(values), times=3).repeats == (3.0, 1.0, 2.0)


def test_a_watched_process_is_cut_at_its_lines(tmp_path: Path) -> None:
    code = "import time; x = bytearray(80 << 20); print('one', flush=True); time.sleep(0.4); print('two')"
    run = watched([sys.executable, "-c", code], folder=tmp_path)
    assert run.seconds_to("two") - run.seconds_to("one") >= 0.39
    assert run.seconds >= run.seconds_to("two")
    assert 80 <= run.peak_mb <= run.tree_peak_mb
    with pytest.raises(LookupError, match="no line begins with 'three'"):
        run.seconds_to("three")


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with 3: oh no"):
        watched([sys.executable, "-c", "import sys; print('oh no', file=sys.stderr); sys.exit(3)"], folder=tmp_path)


@pytest.mark.skipif(not bound(1), reason="this system cannot bind a process to cores")
def test_a_bound_process_has_so_many_cores(tmp_path: Path) -> None:
    run = watched([sys.executable, "-c", "import os; print(len(os.sched_getaffinity(0)))"], folder=tmp_path, cores=1)
    assert [line for _, line in run.lines] == ["1"]


def test_the_parts_of_a_run_add_up_to_it() -> None:
    lines = (
        (1.0, "reading data …"),
        (2.0, "describing a …"),
        (2.5, "describing b …"),
        (4.0, "b#0000 complete 0.1 (1s)"),
    )
    parts = {part.name: part.value for part in _parts(Run(9.0, (*lines, (5.0, "blending …")), 1.0, 2.0))}
    assert parts == {"starting_s": 1.0, "reading_s": 1.0, "describing_s": 3.0, "blending_s": 4.0}
    assert sum(parts.values()) == 9.0


def test_help_is_as_quick_as_is_asked_for() -> None:
    target = next(target for target in TARGETS if target.measurement == "help_s")
    command = [sys.executable, "-m", "workbench.cli", "--help"]
    assert target.met(min(seconds_of(command) for _ in range(5)))
