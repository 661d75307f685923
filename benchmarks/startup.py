"""What a newcomer waits for: the command line, the first trial, and the demo.

The demo is what ``make demo`` runs after the installation: it writes its data and runs ``experiments/breast_cancer`` in
an empty store, on two cores. A demo's parts are cut at the lines that ``workbench run`` prints.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Benchmark, main, repeated
from benchmarks.processes import Run, bound, seconds_of, watched, workbench
from benchmarks.results import Measurement, Target

DEMO = Path(__file__).resolve().parent.parent / "experiments" / "breast_cancer"
CORES = 2

TARGETS = (
    Target(measurement="help_s", limit=0.5),
    Target(measurement="demo_s", limit=240.0, quick=False),
)

PARTS = {
    "import_s": ("start, imports", "", "reading data"),
    "data_s": ("reading and checking the data", "reading data", "describing "),
    "describe_s": ("describing the families", "describing ", "searching"),
    "search_s": ("searching", "searching", "blending"),
    "blend_s": ("blending", "blending", "exporting"),
    "export_s": ("exporting the model", "exporting", "predicting"),
    "predict_s": ("predicting the test table", "predicting", "logging"),
    "log_s": ("registering, MLflow catches up", "logging", "submission"),
}
"""A part's name, its title, and the lines at its two ends."""

REFERENCES = {
    "python_s": ("python -c pass", "pass", "the floor"),
    "keras_tuner_s": ("python -c 'import keras_tuner'", "import keras_tuner", "for comparison"),
    "stack_s": ("python -c 'import mlflow, optuna, keras'", "import mlflow, optuna, keras", "for comparison"),
}


def measure(quick: bool) -> Iterator[Measurement]:
    """Yield everything; the long part last."""
    times = 3 if quick else 7
    yield repeated("help_s", "workbench --help", lambda: seconds_of([workbench(), "--help"]), times=times)
    yield repeated(
        "import_workbench_s", "python -c 'import workbench'", lambda: _import("import workbench"), times=times
    )
    for name, (title, code, note) in REFERENCES.items():
        yield repeated(name, title, lambda code=code: _import(code), times=1 if quick else 3, note=note)  # type: ignore[misc]
    yield from _demo(quick)


def _import(code: str) -> float:
    return seconds_of([sys.executable, "-c", code], {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"})


def _demo(quick: bool) -> Iterator[Measurement]:
    """Yield the demo's seconds; a quick one has one trial a family, and is another measurement."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "demo"
        folder.mkdir()
        for name in ("make_data.py", "experiment.yaml"):
            shutil.copy(DEMO / name, folder)
        data = watched([sys.executable, "make_data.py"], folder=folder, cores=CORES)
        run = watched([workbench(), "run", ".", *(["--trials", "1"] if quick else [])], folder=folder, cores=CORES)
    where = f"{CORES} cores" if bound(CORES) else "all cores"
    name, title = ("short_demo_s", "demo with one trial a family") if quick else ("demo_s", "make demo")
    yield Measurement(
        name="first_trial_s", title="from 'run' to the first trial", repeats=(_first_trial(run),), note=where
    )
    yield Measurement(name=name, title=title, repeats=(data.seconds + run.seconds,), note=where)
    yield Measurement(name="make_data_s", title="  writing the data", repeats=(data.seconds,))
    yield from _parts(run)
    yield _megabytes("driver_peak_mb", "memory of the driver, peak", run.peak_mb)
    yield _megabytes("tree_peak_mb", "memory of all its processes, peak", run.tree_peak_mb)


def _first_trial(run: Run) -> float:
    """Return when the first trial's line was printed."""
    return next(seconds for seconds, line in run.lines if "#0000 complete" in line)


def _parts(run: Run) -> Iterator[Measurement]:
    for name, (title, begin, end) in PARTS.items():
        seconds = run.seconds_to(end) - (run.seconds_to(begin) if begin else 0.0)
        yield Measurement(name=name, title=f"  {title}", repeats=(seconds,))
    yield Measurement(name="close_s", title="  closing", repeats=(run.seconds - run.seconds_to("submission"),))


def _megabytes(name: str, title: str, value: float) -> Measurement:
    return Measurement(name=name, title=title, repeats=(value,), unit="MiB")


if __name__ == "__main__":
    sys.exit(main(Benchmark("startup", "Startup", measure, TARGETS)))
