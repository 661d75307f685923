"""What is tried, and what it is compared with: from the words of a person to configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from workbench import registry
from workbench.config import ExperimentConfig
from workbench.config.models import FamilyConfig
from workbench.errors import ConfigError, nearest
from workbench.evaluation.bench import Bench, Configuration, result_of
from workbench.evaluation.values import completed
from workbench.store.ledger import Trial
from workbench.types import FamilyRef, Scalar, as_loss


@dataclass(frozen=True)
class Idea:
    """A candidate and its baseline."""

    candidate: Configuration
    baseline: Configuration
    subject: str
    """What is tried, in a few words."""


def select(bench: Bench, family: str, features: str | None, changes: Mapping[str, Scalar], against: str | None) -> Idea:
    """Return the configurations to compare; see `workbench.evaluation.idea.evaluate` for what they are.

    Raises:
        ConfigError: a name or a value is wrong, nothing can be compared with, or the two are the same.
        FactoryError: a factory cannot be used.
    """
    configured, tried = find_family(bench.workspace.experiment.config, family, features)
    ref = bench.workspace.experiment.family_ref(tried)
    subject = " ".join([ref.name, *(f"{name}={value}" for name, value in changes.items())])
    if against is not None:
        baseline = _of_trial(find_trial(bench, against), bench, against)
    elif changes or tried != configured:
        baseline = _defaults(bench, bench.workspace.experiment.family_ref(configured))
    elif configured.features is not None:
        plain = configured.model_copy(update={"features": None})
        baseline = _defaults(bench, bench.workspace.experiment.family_ref(plain))
    else:
        baseline = _best(bench, ref)
    base = baseline.values if baseline.family.factory == ref.factory and against is not None else {}
    values = completed(ref.name, bench.space(ref), base, changes)
    candidate = Configuration(ref, values, bench.workspace.ground)
    if candidate.fit_key == baseline.fit_key:
        raise ConfigError(
            f"{subject}: that is the baseline itself, so there is nothing to compare; "
            "try other --features or --values, or name another trial with --against"
        )
    return Idea(candidate, baseline, subject)


def find_family(config: ExperimentConfig, name: str, features: str | None) -> tuple[FamilyConfig, FamilyConfig]:
    """Return a family as it is configured, and with the feature set that is asked for.

    ``name`` is the label or name of a configured family, a built-in's name, or ``module:attribute``; ``lightgbm+v2`` is
    lightgbm with the feature set v2.

    Raises:
        ConfigError: there is no such family; the message has the nearest name.
    """
    configured = _named(config, name)
    if configured is None and "+" in name:
        name, _, own = name.rpartition("+")
        features, configured = features or own, _named(config, name)
    if configured is None:
        known = [*(entry.label for entry in config.family_configs), *registry.references("families")]
        names = ", ".join(dict.fromkeys(known))
        raise ConfigError(
            f"no family is called '{name}'; there are {names}, and 'factories:NAME' of your own.{nearest(name, known)}"
        )
    if features is None:
        return configured, configured
    return configured, config.family_config(configured.model_copy(update={"features": features}))


def _named(config: ExperimentConfig, name: str) -> FamilyConfig | None:
    """Return a configured family by label, by name or by factory, or one that is not configured."""
    for attribute in ("label", "name", "factory"):
        for entry in config.family_configs:
            if getattr(entry, attribute) == name:
                return entry
    if ":" not in name and name not in registry.references("families"):
        return None
    try:
        return config.family_config(name)
    except ValidationError as error:
        raise ConfigError(
            f"'{name}' is no family: expected 'module:attribute', such as 'factories:my_model'"
        ) from error


def find_trial(bench: Bench, name: str) -> Trial:
    """Return a complete trial by its name on the leaderboard.

    Raises:
        ConfigError: there is none; the message says which there are.
    """
    label, _, number = name.rpartition("#")
    if not (label and number.isdecimal()):
        raise ConfigError(f"'{name}' is no trial's name; expected FAMILY#NUMBER, such as lightgbm#0003")
    trials = bench.workspace.ledger.trials(bench.study(_label_ref(bench, label)).id)
    for trial in trials:
        if trial.number == int(number):
            if trial.result is None:
                raise ConfigError(f"{trial.name} is {trial.state}; only a complete trial can be compared with")
            return trial
    complete = [trial.name for trial in trials if trial.result is not None]
    there = f"there are {complete[0]} to {complete[-1]}" if complete else f"no trial of {label} is complete"
    raise ConfigError(f"there is no trial '{name}' on this data, fold plan and code; {there}")


def _label_ref(bench: Bench, label: str) -> FamilyRef:
    """Return the family that a label names: ``lightgbm`` has no feature set, whatever is configured."""
    experiment = bench.workspace.experiment
    same = [entry for entry in experiment.config.family_configs if entry.label == label]
    name, _, features = label.partition("+")
    _, entry = (None, same[0]) if same else find_family(experiment.config, name, features or "none")
    return experiment.family_ref(entry)


def _of_trial(trial: Trial, bench: Bench, name: str) -> Configuration:
    if result_of(trial).truncated:
        bench.observer.notice(f"{trial.name} ended early; its configuration is trained whole to be compared with")
    return Configuration(_label_ref(bench, name.rpartition("#")[0]), trial.values, bench.workspace.ground)


def _defaults(bench: Bench, family: FamilyRef) -> Configuration:
    return Configuration(family, bench.space(family).defaults(), bench.workspace.ground)


def _best(bench: Bench, family: FamilyRef) -> Configuration:
    """Return the best complete trial of the other families: what a new model must beat."""
    workspace = bench.workspace
    others = [trial for trial in workspace.trials() if trial.result is not None and trial.family != family.name]
    if not others:
        raise ConfigError(
            f"{family.name} as it is has nothing to be compared with: no trial of another family is complete; "
            "give --features, --values or --against, or run the experiment first"
        )
    best = min(others, key=lambda trial: as_loss(workspace.metric.direction, result_of(trial).score))
    return _of_trial(best, bench, best.name)
