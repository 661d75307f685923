"""A family's trials as a study of Optuna's, for its plots, its importances and its dashboard."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as State

from workbench.errors import ConfigError, FactoryError, nearest
from workbench.experiment import Experiment
from workbench.models.ranges import checked
from workbench.search.points import bounds
from workbench.store.event_log import Report
from workbench.store.ledger import Study, Trial
from workbench.types import Parameter, Scalar, Space, TrialState
from workbench.workspace import Workspace, open_workspace

STATES: dict[TrialState, State] = {
    "queued": State.WAITING,
    "running": State.RUNNING,
    "screened": State.PRUNED,
    "complete": State.COMPLETE,
    "pruned": State.PRUNED,
    "failed": State.FAIL,
}


def load_study(
    experiment: Experiment | Path | str,
    family: str,
    *,
    storage: optuna.storages.BaseStorage | str | None = None,
) -> optuna.Study:
    """Return the trials of a family's present study as an `optuna.Study`; a copy, the ledger stays the only truth.

    ::

        study = workbench.load_study("experiments/titanic", "lightgbm")
        optuna.visualization.plot_param_importances(study).show()

    Numbers are the trials' own. The value is the score; with several objectives there is one for each. Intermediate
    values are the epoch reports, one split after the other: a step counts on over the splits, from 1. Screened trials
    are pruned ones here. Parameters have the ranges of the study's space; steps that multiply, and scales that are
    dense near the top, are left out of them, since Optuna has neither. User attributes hold the trial's name, its
    state, its origin, its note, ``score_se``, ``fit_key`` and the message of its failure.

    Args:
        experiment: an `Experiment`, or the folder of an ``experiment.yaml``.
        family: name of the family, as on the leaderboard.
        storage: where the study is made, of Optuna's own, such as ``InMemoryStorage()`` for
            ``optuna_dashboard.run_server``; in memory if absent.

    Raises:
        ConfigError: the experiment has no such family.
        UserError: the experiment's configuration or data cannot be used.
        StoreError: the ledger cannot be read.
    """
    experiment = Experiment.of(experiment)
    with open_workspace(experiment) as workspace:
        found = _study_of(workspace, family)
        names = experiment.config.search.objectives
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            study_name=f"{experiment.name}/{family}",
            directions=[workspace.metric.direction if name == "score" else "minimize" for name in names],
            storage=storage,
        )
        space = found.space or Space()
        for trial in workspace.ledger.trials(found.id):
            reports = workspace.ledger.reports(trial.attempt) if trial.attempt is not None else []
            study.add_trial(_frozen(trial, space, names, reports))
    return study


def _study_of(workspace: Workspace, family: str) -> Study:
    found = {study.family: study for study in workspace.studies}
    if family not in found:
        name = workspace.experiment.name
        raise ConfigError(f"'{name}' has no family '{family}'; it has {', '.join(found)}.{nearest(family, found)}")
    return found[family]


def _frozen(trial: Trial, space: Space, objectives: tuple[str, ...], reports: list[Report]) -> FrozenTrial:
    state = STATES[trial.state]
    curve = {step: report.value for step, report in enumerate(reports, start=1)}
    params = {p.name: known for p in space.parameters if (known := _known(p, trial.values)) is not None}
    values = [float(getattr(trial.result, name)) for name in objectives] if trial.result is not None else None
    return FrozenTrial(
        number=trial.number,
        trial_id=trial.number,
        state=state,
        value=None,
        values=values if state == State.COMPLETE else None,
        datetime_start=None if state == State.WAITING else _local(trial.started),
        datetime_complete=_local(trial.finished) if state.is_finished() else None,
        params=params,
        distributions={p.name: _range(p) for p in space.parameters if p.name in params},
        user_attrs=_attributes(trial),
        system_attrs={},
        intermediate_values=curve if len(objectives) == 1 else {},
    )


def _attributes(trial: Trial) -> dict[str, Any]:
    result = trial.result or trial.screening
    about = {
        "name": trial.name,
        "state": trial.state,
        "origin": trial.origin,
        "note": trial.note,
        "score_se": result.score_se if result else None,
        "fit_key": result.fit_key if result else None,
        "screening_score": trial.screening.score if trial.screening else None,
        "failure": f"{trial.failure.code}: {trial.failure.message}" if trial.failure else None,
    }
    return {key: value for key, value in about.items() if value not in (None, "")}


def _known(parameter: Parameter, values: dict[str, Scalar]) -> Scalar | None:
    """Return a parameter's value if it is one of its range's."""
    try:
        return checked(parameter, values[parameter.name]) if parameter.name in values else None
    except FactoryError:
        return None


def _range(parameter: Parameter) -> BaseDistribution:
    """Return the values of a parameter as they are, for people to look at."""
    if parameter.kind in ("choice", "boolean", "fixed"):
        return CategoricalDistribution(parameter.choices or (parameter.default,))
    low, high = bounds(parameter)
    linear = not (parameter.log or parameter.reverse)
    if parameter.kind == "int":
        return IntDistribution(int(low), int(high), log=parameter.log, step=int(parameter.step or 1) if linear else 1)
    return FloatDistribution(low, high, log=parameter.log, step=parameter.step if linear else None)


def _local(moment: datetime | None) -> datetime | None:
    """Return a moment as Optuna writes it: local time without its zone."""
    return moment.astimezone().replace(tzinfo=None) if moment else None
