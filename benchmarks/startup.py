"""What a newcomer waits for: the command line, the first trial, and the demo.

The demo is what ``make demo`` runs after the installation: it writes its data and runs ``experiments/breast_cancer`` in
an empty store, on two cores. Its parts are cut at the phases that ``workbench run`` prints.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.harness import Benchmark, main, repeated
from benchmarks.measurement import Measurement, Target
from benchmarks.processes import Run, bound, seconds_of, watched, workbench

DEMO = Path(__file__).resolve().parent.parent / "experiments" / "breast_cancer"
CORES = 2
PHASE = "…"

TARGETS = (
    Target(measurement="help_s", limit=0.5),
    Target(measurement="demo_s", limit=240.0, quick=False),
)

REFERENCES = {
    "keras_tuner_s": "import keras_tuner",
    "stack_s": "import mlflow, optuna, keras",
}
"""What a user would wait for who took these libraries as they are. A quick run has the last one only."""


def measure(quick: bool) -> Iterator[Measurement]:
    """Yield everything; the long part last."""
    times = 3 if quick else 7
    yield repeated("python_s", "python -c pass", lambda: _python("pass"), times=times, note="the floor")
    yield repeated("import_workbench_s", "import workbench", lambda: _python("import workbench"), times=times)
    command = repeated("help_s", "workbench --help", lambda: seconds_of([workbench(), "--help"]), times=times)
    yield command
    yield from _references(quick, command.value)
    yield from _demo(quick)


def _python(code: str) -> float:
    return seconds_of([sys.executable, "-c", code], {"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3"})


def _references(quick: bool, unit: float) -> Iterator[Measurement]:
    for name, code in list(REFERENCES.items())[-1 if quick else 0 :]:
        found = repeated(name, code, partial(_python, code), times=1 if quick else 3)
        yield found.model_copy(update={"note": f"{found.value / unit:.0f} times workbench --help"})


def _demo(quick: bool) -> Iterator[Measurement]:
    """Yield the demo's seconds and its parts; a quick one has two families and one trial of each, under other names."""
    short = ["--trials", "1", "--set", "families=[dummy,lightgbm]"] if quick else []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "demo"
        folder.mkdir()
        for name in ("make_data.py", "experiment.yaml"):
            shutil.copy(DEMO / name, folder)
        data = watched([sys.executable, "make_data.py"], folder=folder, cores=CORES)
        run = watched([workbench(), "run", ".", *short], folder=folder, cores=CORES)
    for measurement in _of_demo(data, run):
        yield _short(measurement) if quick else measurement


def _short(measurement: Measurement) -> Measurement:
    title = measurement.title.replace("make demo", "a demo without Keras")
    return measurement.model_copy(update={"name": f"short_{measurement.name}", "title": title})


def _of_demo(data: Run, run: Run) -> Iterator[Measurement]:
    where = f"{CORES} cores" if bound(CORES) else "all cores"
    yield Measurement(name="first_trial_s", title="run to first trial", repeats=(_first_trial(run),), note=where)
    yield Measurement(name="demo_s", title="make demo", repeats=(data.seconds + run.seconds,), note=where)
    yield Measurement(name="make_data_s", title="  writing the data", repeats=(data.seconds,))
    yield from _parts(run)
    yield _megabytes("driver_peak_mb", "peak memory, driver", run.peak_mb)
    yield _megabytes("tree_peak_mb", "peak memory, all", run.tree_peak_mb)


def _first_trial(run: Run) -> float:
    """Return when the first trial's line was printed."""
    return next(seconds for seconds, line in run.lines if "#0000 complete" in line)


def _parts(run: Run) -> Iterator[Measurement]:
    """Cut a run at its phases, the lines that end with an ellipsis; the families are described in one part."""
    cuts: dict[str, tuple[float, str]] = {"starting": (0.0, "starting, imports")}
    for seconds, line in run.lines:
        if line.endswith(PHASE):
            text = line.removesuffix(PHASE).strip()
            cuts.setdefault(text.split()[0], (seconds, text))
    ends = [begin for begin, _ in list(cuts.values())[1:]] + [run.seconds]
    for (word, (begin, text)), end in zip(cuts.items(), ends, strict=True):
        title = "describing families" if word == "describing" else text
        yield Measurement(name=f"{word}_s", title=f"  {title}", repeats=(end - begin,))


def _megabytes(name: str, title: str, value: float) -> Measurement:
    return Measurement(name=name, title=title, repeats=(value,), unit="MiB")


if __name__ == "__main__":
    sys.exit(main(Benchmark("startup", "Startup", measure, TARGETS)))
