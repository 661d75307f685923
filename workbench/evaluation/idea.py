"""One idea from its words to a verdict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench import signals
from workbench.errors import ConfigError
from workbench.evaluation.bench import Bench, Configuration, open_bench, result_of
from workbench.evaluation.comparison import Comparison, judged
from workbench.evaluation.selection import Idea, select
from workbench.evaluation.statistics import corrected_t_test, size_ratio
from workbench.execution.contract import RUNNER
from workbench.experiment import Experiment
from workbench.search.progress import Observer, Silent
from workbench.seeds import derive_seed
from workbench.store.events import TrialCompared
from workbench.store.ledger import Trial
from workbench.sweep import open_sweep
from workbench.types import Scalar
from workbench.workspace import Workspace, open_workspace


@signals.listening()
def evaluate(
    experiment: Experiment | Path | str,
    family: str | Callable[..., Any],
    *,
    features: str | Callable[..., Any] | None = None,
    values: Mapping[str, Scalar] | None = None,
    note: str = "",
    against: str | None = None,
    seeds: int = 3,
    observer: Observer | None = None,
    runner: str = RUNNER,
) -> Comparison:
    """Evaluate one configuration, and say whether it is better than a baseline, worse, or noise.

    Both are trials of their studies: numbered with the search's, which learns from them; they use up no budget. Those
    of families (and feature sets) that the experiment lists are on its leaderboard and candidates for its blend, the
    others from when it lists them. What was evaluated before is not trained again, and nothing is delivered.

    The baseline is the trial ``against``; without it the same family as it is configured, with its defaults. A family
    of which nothing is changed is compared with itself without its feature set, or else with the best trial of the
    other families.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        family: a configured family's name, a built-in's name, ``'factories:my_model'``, or a factory.
        features: a feature set of ``features.py``, or one itself; ``'none'`` takes the table as it is, ``None`` what is
            configured.
        values: hyperparameters; the others are those of the trial ``against`` if it is of the same family, else the
            factory's defaults.
        note: what the idea is; it goes to the ledger and MLflow.
        against: a trial's name, such as ``lightgbm#0003``.
        seeds: further trainings of the baseline with other seeds, on the same splits, which tell the seed noise. They
            are kept, so a baseline pays for them once; where the first one changes nothing the others are left out.
        observer: is told how it goes.
        runner: dotted name of what trains; for tests.

    Raises:
        ConfigError: a name or value is wrong, or candidate and baseline are the same.
        FactoryError: a factory, or the configuration, cannot be trained.
        TrialFailed: a trial failed for another reason.
        UserError: the configuration or the data cannot be used.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    if seeds < 1:
        raise ConfigError(f"seeds is a number of trainings above 0, got {seeds}")
    experiment = Experiment.of(experiment)
    family, features = experiment.reference(family), None if features is None else experiment.reference(features)
    observer = observer or Silent()
    observer.phase("reading data")
    with open_workspace(experiment) as workspace, open_bench(workspace, observer, runner) as bench:
        workspace.ledger.reap()
        idea = select(bench, family, features, values or {}, against)
        title = f"try {idea.candidate.family.name}: {note}" if note else f"try {idea.subject}"
        with open_sweep(workspace, began, title[:200]) as sweep:
            compared, candidate = compare(bench, idea, sweep.number, note, seeds)
            workspace.ledger.append(_event(compared, candidate))
            observer.phase("logging to MLflow")
    return compared


def compare(bench: Bench, idea: Idea, sweep: int, note: str, seeds: int) -> tuple[Comparison, Trial]:
    """Return the comparison of an idea, and the candidate's trial; what is not known yet is evaluated in ``sweep``."""
    baseline = _trial(bench, idea.baseline, sweep, "baseline of a try")
    known = bench.known(idea.candidate)
    if known is not None:
        bench.observer.notice(f"already evaluated as {known.name}")
    candidate = known or _trial(bench, idea.candidate, sweep, note)
    seed_scores = _seed_scores(bench, idea.baseline, baseline, sweep, seeds)
    new, old = result_of(candidate).scores, result_of(baseline).scores
    workspace, noise = bench.workspace, statistics.stdev(seed_scores)
    ratio = size_ratio(workspace.plan, workspace.dataset.weight)
    test = corrected_t_test([c - b for c, b in zip(new, old, strict=True)], ratio)
    verdict, reason = judged(workspace.metric.direction, test, noise, _advice(workspace))
    compared = Comparison(
        experiment=workspace.experiment.name,
        sweep=sweep,
        metric=workspace.metric.name,
        direction=workspace.metric.direction,
        candidate=candidate.name,
        baseline=baseline.name,
        candidate_scores=new,
        baseline_scores=old,
        difference=test.mean,
        difference_se=test.se,
        p=test.p,
        seed_noise=noise,
        seed_scores=seed_scores,
        verdict=verdict,
        reason=reason,
        note=note,
    )
    return compared, candidate


def _trial(bench: Bench, configuration: Configuration, sweep: int, note: str) -> Trial:
    if (known := bench.known(configuration)) is not None:
        return known
    bench.observer.phase(f"evaluating {configuration.family.name}")
    return bench.run(configuration, sweep, note)


def _seed_scores(
    bench: Bench, configuration: Configuration, baseline: Trial, sweep: int, seeds: int
) -> tuple[float, ...]:
    """Return the baseline's score and those of its trainings under other seeds, on the same splits.

    A first one that equals it exactly says that the seed does not matter.
    """
    first = result_of(baseline)
    scores = [first.score]
    for number in range(1, seeds + 1):
        seed = derive_seed(configuration.ground.seed, "seed noise", number)
        other = configuration.with_seed(seed, f"{configuration.family.name}~seed{number}")
        result = result_of(_trial(bench, other, sweep, f"seed noise of {baseline.name}"))
        # Its score is all that is wanted of it: no blend ever holds it.
        bench.workspace.vault.keep_bundles([], among=[result.fit_key])
        scores.append(result.score)
        if number == 1 and result.scores == first.scores:
            break
    return tuple(scores)


def _advice(workspace: Workspace) -> str:
    """Return what gives more splits, by the kind of the fold plan."""
    plan = workspace.plan
    if plan.kind in ("kfold", "stratified", "group"):
        return f"take more repeats: --set folds.repeats={3 * plan.repeats}"
    if plan.kind == "time":
        return f"take more splits: --set folds.splits={2 * plan.splits}"
    return "give the fold plan more splits"


def _event(compared: Comparison, candidate: Trial) -> TrialCompared:
    return TrialCompared(
        sweep=compared.sweep,
        study=candidate.study,
        trial=candidate.id,
        family=candidate.family,
        number=candidate.number,
        against=compared.baseline,
        difference=compared.difference,
        difference_se=compared.difference_se,
        p=compared.p,
        seed_noise=compared.seed_noise,
        verdict=compared.verdict,
        note=compared.note,
    )
