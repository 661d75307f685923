"""Is MLflow what the ledger says? Trial by trial: one run each, its state and its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.store.entities import PagedList

from workbench.store.events import BlendFinished, SweepStarted, TrialFinished, TrialStarted
from workbench.store.inspection import Recorded, recorded_trials
from workbench.store.ledger import TERMINAL, Ledger
from workbench.tracking.identity import journal_key
from workbench.tracking.mlflow_projection import TRIAL_STATUS

PAGE = 1000
T = TypeVar("T")

KINDS = ("sweep", "trial", "blend")
"""Of the runs that are compared; a model's is a version of the registry."""


@dataclass(frozen=True)
class Difference:
    """Something that MLflow has otherwise than the ledger."""

    subject: str
    """Such as ``loans: lightgbm#0003``."""
    found: str
    runs: tuple[str, ...] = ()
    """Ids of runs that contradict the ledger: no replay mends them, they have to give way."""

    def __str__(self) -> str:
        """Say what differs."""
        return f"{self.subject}: {self.found}"


def compare(ledger: Ledger, uri: str) -> list[Difference]:
    """Return where the runs in the MLflow store at ``uri`` are not what the ledger's trials are.

    For each trial that has begun there is exactly one run; of an ended one its status, its tag ``wb.state`` and the
    metric ``score`` are the ledger's. Runs that a person deleted are no difference, nor is what others logged.

    Raises:
        mlflow.MlflowException: the store cannot be reached.
        StoreError: the ledger cannot be read.
    """
    if ledger.last_position() == 0:
        return []
    prefix = journal_key(ledger)
    runs = _runs(MlflowClient(tracking_uri=uri), prefix)
    shown = _shown(ledger)
    trials = {f"trial/{trial.id}": trial for trial in recorded_trials(ledger.url)}
    found: list[Difference] = []
    for key in sorted(shown | set(runs)):
        if key not in shown:
            found.append(_unknown(key, runs[key]))
        elif key in trials:
            found.extend(_trial(trials[key], runs.get(key, [])))
        else:
            found.extend(_once(key, runs.get(key, [])))
    return found


def _shown(ledger: Ledger) -> set[str]:
    """Return the keys, less the ledger's own, of all runs that its events make."""
    keys: set[str] = set()
    last = 0
    while page := ledger.events(last, PAGE):
        for position, _, event in page:
            match event:
                case SweepStarted():
                    keys.add(f"sweep/{event.sweep}")
                case TrialStarted():
                    keys.add(f"trial/{event.trial}")
                case TrialFinished() if event.state in TRIAL_STATUS:
                    keys.add(f"trial/{event.trial}")
                case BlendFinished():
                    keys.add(f"blend/{position}")
            last = position
    return keys


def _runs(client: MlflowClient, prefix: str) -> dict[str, list[Run]]:
    """Return the runs of one ledger by key, less the ledger's own; deleted ones only where there is no other."""
    experiments = [each.experiment_id for each in _paged(partial(client.search_experiments, ViewType.ALL))]
    filtered = f"tags.`wb.key` LIKE '{prefix}/%'"
    found: dict[str, list[Run]] = {}
    for first in range(0, len(experiments), PAGE):
        some = experiments[first : first + PAGE]
        for run in _paged(partial(client.search_runs, some, filtered, ViewType.ALL)):
            key = str(run.data.tags["wb.key"]).partition("/")[2]
            if key.partition("/")[0] in KINDS:
                found.setdefault(key, []).append(run)
    return {key: _alive(runs) or runs[:1] for key, runs in found.items()}


def _paged(search: Callable[..., PagedList[T]]) -> Iterator[T]:
    """Yield what a search of MLflow finds, page by page."""
    token: str | None = ""
    while token is not None:
        page = search(max_results=PAGE, page_token=token or None)
        yield from page
        token = page.token or None


def _alive(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.info.lifecycle_stage != "deleted"]


def _unknown(key: str, runs: Sequence[Run]) -> Difference:
    return Difference(key, "a run that the ledger does not know", _ids(runs))


def _once(subject: str, runs: Sequence[Run]) -> Iterator[Difference]:
    if not runs:
        yield Difference(subject, "no run")
    elif len(runs) > 1:
        yield Difference(subject, f"{len(runs)} runs instead of one", _ids(runs[1:]))


def _trial(trial: Recorded, runs: Sequence[Run]) -> Iterator[Difference]:
    subject = f"{trial.experiment}: {trial.name}"
    ordered = sorted(runs, key=lambda run: bool(_contradiction(trial, run)))  # the one that agrees stays
    yield from _once(subject, ordered)
    if not ordered or ordered[0].info.lifecycle_stage == "deleted":
        return
    run = ordered[0]
    if said := _contradiction(trial, run):
        yield Difference(subject, said, _ids([run]))
    elif trial.state in TERMINAL:
        if (state := run.data.tags.get("wb.state")) != trial.state:
            yield Difference(subject, f"is {state}, and {trial.state} in the ledger")
        elif run.info.status != TRIAL_STATUS[trial.state]:
            yield Difference(subject, f"its run is {run.info.status}, not {TRIAL_STATUS[trial.state]}")
        elif trial.result is not None and "score" not in run.data.metrics:
            yield Difference(subject, "its score is not there")


def _contradiction(trial: Recorded, run: Run) -> str:
    """Return what a run says that the ledger denies; what it only lacks is none."""
    attempt, score = int(run.data.tags.get("wb.attempt", "0")), run.data.metrics.get("score")
    if attempt > trial.attempt:
        return f"tells of attempt {attempt}, and the ledger of {trial.attempt} at most"
    if score is not None and trial.result is None:
        return f"has the score {score}, and is {trial.state} in the ledger"
    if score is not None and trial.result is not None and not _equal(score, trial.result.score):
        return f"has the score {score}, and {trial.result.score} in the ledger"
    return ""


def _equal(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=1e-12) or (math.isnan(left) and math.isnan(right))


def _ids(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(run.info.run_id for run in runs)
