"""The best configurations of a search once more, on a fold plan that no search has seen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workbench import signals
from workbench.data.folds import RANDOM, FoldPlan, make_plan
from workbench.errors import ConfigError, NothingToDeliver
from workbench.evaluation.bench import Bench, Configuration, open_bench, result_of
from workbench.evaluation.rescored import Rescore, Rescoring, rescore_of
from workbench.execution.contract import RUNNER
from workbench.experiment import Experiment
from workbench.search.progress import Observer, Silent
from workbench.seeds import derive_seed
from workbench.store.ledger import Trial
from workbench.sweep import open_sweep
from workbench.types import BASE_FAMILY, Direction
from workbench.workspace import Workspace, open_workspace

SUFFIX = "~rescore"
"""Of the families under which trials on the second plan are kept: no search begins where these ended."""


@signals.listening()
def rescore(
    experiment: Experiment | Path | str,
    *,
    top: int = 5,
    control: bool = False,
    observer: Observer | None = None,
    runner: str = RUNNER,
) -> Rescoring:
    """Score the best configurations on a second fold plan, and say how much choosing them has flattered their scores.

    The plan is of the same kind, splits and repeats, shuffled by another seed. What is trained is kept: asked again,
    nothing is trained twice. Trials on that plan are on no leaderboard and in no blend.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        top: so many configurations, the best over all families by their own score.
        control: as many others at random too: what they differ by is what the plans differ by, and no choice.
        observer: is told how it goes.
        runner: dotted name of what trains; for tests.

    Raises:
        ConfigError: the fold plan cannot be drawn anew, or ``top`` is below 1.
        NothingToDeliver: no trial is complete, or none could be trained on the second plan.
        UserError: the configuration or the data cannot be used.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    if top < 1:
        raise ConfigError(f"top is a number of configurations above 0, got {top}")
    experiment = Experiment.of(experiment)
    observer = observer or Silent()
    observer.phase("reading data")
    with open_workspace(experiment) as workspace, open_bench(workspace, observer, runner) as bench:
        workspace.ledger.reap()
        wanted, number = want(workspace, top, observer, control=control), None
        if wanted.unknown(bench):
            title = f"rescore {len(wanted.configurations)} configurations"
            with open_sweep(replace(workspace, plan=wanted.plan), began, title) as sweep:
                number = sweep.number
                train(bench, wanted, number)
                for name in wanted.unknown(bench):
                    observer.notice(f"{name} failed on the second plan: it is in none of the figures")
                observer.phase("logging to MLflow")
        return rescored(bench, wanted, number)


@dataclass(frozen=True)
class Wanted:
    """Trials that are to be scored on a second plan."""

    plan: FoldPlan
    folds_seed: int
    best: list[Trial]
    others: list[Trial]
    """The control."""
    configurations: dict[str, Configuration]
    """On the second plan, by the name of the trial."""

    def unknown(self, bench: Bench) -> dict[str, Configuration]:
        """Return those that have no complete trial on the second plan."""
        return {name: each for name, each in self.configurations.items() if bench.known(each) is None}


def want(workspace: Workspace, top: int, observer: Observer, *, control: bool) -> Wanted:
    """Return what `rescore` asks for.

    Raises:
        ConfigError: the fold plan cannot be drawn anew.
        NothingToDeliver: no trial is complete.
    """
    seed, plan = second_plan(workspace)
    best, others = choose(workspace, top, observer)
    others = others if control else []
    return Wanted(plan, seed, best, others, {trial.name: _on(workspace, plan, trial) for trial in (*best, *others)})


def train(bench: Bench, wanted: Wanted, sweep: int) -> None:
    """Train what is not known yet."""
    new = wanted.unknown(bench)
    bench.observer.phase("searching")
    bench.run_all([(each, f"{name} on a second fold plan") for name, each in new.items()], sweep)
    # Their scores are all that is wanted of them: no blend ever holds them.
    bench.workspace.vault.keep_bundles([], among=[each.fit_key for each in new.values()])


def rescored(bench: Bench, wanted: Wanted, sweep: int | None) -> Rescoring:
    """Return the scores of what is known on both plans.

    Raises:
        NothingToDeliver: none of the best is known on the second one.
    """
    workspace = bench.workspace

    def scored(trials: Sequence[Trial]) -> tuple[Rescore, ...]:
        pairs = ((trial, bench.known(wanted.configurations[trial.name])) for trial in trials)
        return tuple(_rescore(workspace.metric.direction, trial, known) for trial, known in pairs if known is not None)

    found = Rescoring(
        experiment=workspace.experiment.name,
        sweep=sweep,
        metric=workspace.metric.name,
        direction=workspace.metric.direction,
        folds_seed=wanted.folds_seed,
        best=scored(wanted.best),
        control=scored(wanted.others),
    )
    if not found.best:
        names = ", ".join(trial.name for trial in wanted.best)
        raise NothingToDeliver(f"none of {names} could be trained on the second plan; see the failures above")
    return found


def second_plan(workspace: Workspace) -> tuple[int, FoldPlan]:
    """Return another plan of the experiment's kind, and the seed by which it is shuffled.

    Raises:
        ConfigError: there is no other plan of that kind.
    """
    experiment, kind = workspace.experiment, workspace.plan.kind
    config = experiment.config
    if kind not in RANDOM:
        why = "the rows' order in time" if kind == "time" else f"folds.{kind}"
        raise ConfigError(
            f"the fold plan follows from {why}, so there is no second one to be drawn; rescore needs folds that are "
            f"shuffled ({', '.join(RANDOM)}). Rows set aside (holdout: 0.2) tell the optimism of any plan"
        )
    old = config.seed if config.folds.seed is None else config.folds.seed
    seed = derive_seed(old, "rescore") % 2**31
    folds = config.folds.model_copy(update={"seed": seed})
    plan = make_plan(workspace.dataset, folds, config.seed, root=experiment.folds_root, encoding=config.data.encoding)
    if plan.key == workspace.plan.key:
        raise ConfigError(f"another seed gives the same folds: so few rows or groups leave one plan of kind {kind}")
    return seed, plan


def choose(workspace: Workspace, top: int, observer: Observer) -> tuple[list[Trial], list[Trial]]:
    """Return the best trials over all families, and up to as many random others.

    Equal fits count once. Trials that a deadline or an engine ended early are left out: whole, they are others.

    Raises:
        NothingToDeliver: no trial is complete.
    """
    complete = [t for study in workspace.studies for t in workspace.ledger.trials(study.id) if t.result is not None]
    real = [t for t in complete if t.family != BASE_FAMILY] or complete
    whole = [t for t in real if t.epochs is None and not result_of(t).truncated]
    if len(whole) < len(real):
        observer.notice(f"{len(real) - len(whole)} trials that ended early are left out: whole, they score otherwise")
    ranked = sorted(whole, key=lambda t: (workspace.metric.loss(result_of(t).score), t.name))
    kept: dict[str, Trial] = {}
    for trial in ranked:
        kept.setdefault(result_of(trial).fit_key, trial)
    unique = list(kept.values())
    if not unique:
        raise NothingToDeliver(f"no trial of '{workspace.experiment.name}' is complete and whole; run it")
    generator = np.random.default_rng(derive_seed(workspace.ground.seed, "rescore control"))
    rest = unique[top:]
    drawn = sorted(generator.permutation(len(rest))[:top].tolist())
    return unique[:top], [rest[place] for place in drawn]


def _on(workspace: Workspace, plan: FoldPlan, trial: Trial) -> Configuration:
    """Return a trial's configuration on another plan."""
    family = next(ref for ref in workspace.families if ref.name == trial.family)
    ground = workspace.ground.model_copy(update={"plan_key": plan.key})
    named = family.model_copy(update={"name": f"{family.name}{SUFFIX}"})
    return Configuration(named, trial.values, ground, plan)


def _rescore(direction: Direction, trial: Trial, known: Trial) -> Rescore:
    first, second = result_of(trial), result_of(known)
    return rescore_of(trial.name, direction, (first.score, first.score_se), (second.score, second.score_se))
