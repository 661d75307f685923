"""How much each family of an experiment may have, and whether anything is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workbench.config.models import FamilyConfig, SearchConfig
from workbench.errors import ConfigError
from workbench.execution import machine
from workbench.execution.devices import plan
from workbench.search.grid import Grid
from workbench.search.lane import FAILURES_ALLOWED
from workbench.search.screening import promotable
from workbench.search.spaces import with_ranges
from workbench.store.ledger import ENDED, Study, Trial
from workbench.types import Space
from workbench.workspace import Workspace


@dataclass(frozen=True)
class Budget:
    """How much each study may have in all, and until when."""

    totals: dict[str, int]
    """Trials, by family; of those that share the last part of theirs, with an equal part of it."""
    deadline: float | None = None
    """Moment of ``time.monotonic()`` at which the search ends."""
    forgiving: bool = False
    """Whether families that failed three times in a row are tried again."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of workers, by family; families that are absent have no limit."""
    configured: bool = False
    """Whether the totals are the configuration's, and not an argument's."""
    own: dict[str, int] = field(default_factory=dict)
    """Trials before that last part, of the families that share it (`search.listen`)."""

    @property
    def shared(self) -> int:
        """Trials that the families with a part of their ``own`` may have in all."""
        return sum(self.totals[family] for family in self.own)


def resolve_budget(workspace: Workspace, trials: int | None, more: int, deadline: float | None) -> Budget:
    """Return the budget, counted once: ``more`` is beyond what there is now.

    Raises:
        ConfigError: both are given, or one is out of range, or some family is left without any.
    """
    if trials is not None and more:
        raise ConfigError("give one of trials (in all) and more (beyond those that there are), not both")
    if more < 0 or (trials is not None and trials < 1):
        raise ConfigError(f"a budget is a number of trials above 0, got trials={trials}, more={more}")
    budget = Budget({}, deadline, more > 0, _seconds(workspace), configured=not more and trials is None)
    spaces = {study.family: study.space for study in workspace.studies}
    if not budget.configured:
        begun = {study.family: workspace.ledger.searched(study.id) if more else 0 for study in workspace.studies}
        totals = {family: trials or number + more for family, number in begun.items()}
        budget = replace(budget, totals=totals, own=_own(workspace, totals, begun))
    return planned(workspace, budget, spaces)


def planned(workspace: Workspace, budget: Budget, spaces: dict[str, Space | None]) -> Budget:
    """Return the budget with the configuration's totals, as far as ``spaces`` are known; an argument's are kept.

    Raises:
        ConfigError: some family is left without any trial.
    """
    config = workspace.experiment.config
    fixed = {family for family, space in spaces.items() if space is not None and not space.searched}
    totals, own = budget.totals, budget.own
    if budget.configured:
        totals = _totals(config.family_configs, config.search, fixed)
        own = _own(workspace, totals, {})
    return replace(budget, totals=totals, own={family: part for family, part in own.items() if family not in fixed})


def _own(workspace: Workspace, totals: dict[str, int], begun: dict[str, int]) -> dict[str, int]:
    """Return the trials before the last part that families share; ``begun`` are those that were before the budget.

    Families with trials of their own share nothing.
    """
    config = workspace.experiment.config
    listen, sharing = config.search.listen, [e.label for e in config.family_configs if e.trials is None]
    if not listen:
        return {}
    return {name: max(1, totals[name] - round(listen * (totals[name] - begun.get(name, 0)))) for name in sharing}


def _totals(families: Sequence[FamilyConfig], search: SearchConfig, fixed: set[str]) -> dict[str, int]:
    """Return each family's trials: its own, else its part of those in all, else as many as every one has.

    Families that are ``fixed``, with nothing to search, have one.
    """
    found = {family.label: 1 if family.label in fixed else family.trials or search.trials for family in families}
    if search.trials_in_all is None:
        return found
    sharing = [family.label for family in families if family.trials is None and family.label not in fixed]
    left = search.trials_in_all - sum(trials for name, trials in found.items() if name not in sharing)
    if left < len(sharing):
        raise ConfigError(
            f"search.trials_in_all is {search.trials_in_all}: {max(0, left)} trials are left for {len(sharing)} "
            f"families ({', '.join(sharing)}); each needs one"
        )
    # The first ones get what does not divide evenly.
    return found | {name: (left + len(sharing) - 1 - place) // len(sharing) for place, name in enumerate(sharing)}


def _seconds(workspace: Workspace) -> dict[str, float]:
    """Return each family's seconds of workers, where hours are limited; workers that share a GPU share its hours."""
    config = workspace.experiment.config
    own = {family.label: family.device_hours for family in config.family_configs if family.device_hours is not None}
    sharing = [family.label for family in config.family_configs if family.label not in own]
    if config.search.device_hours is not None and sharing:
        left = config.search.device_hours - sum(own.values())
        if left <= 0.0:
            raise ConfigError(
                f"search.device_hours is {config.search.device_hours:g}, and families with device_hours of their own "
                f"take {sum(own.values()):g}: nothing is left for {', '.join(sharing)}"
            )
        own |= dict.fromkeys(sharing, left / len(sharing))
    if not own:
        return {}
    workers = plan(machine.look(config.training.backend), workspace.executor_options())[0].sharing
    return {name: 3600.0 * hours * workers for name, hours in own.items()}


def has_work(workspace: Workspace, budget: Budget) -> bool:
    """Say whether any family has trials left, without starting anything."""
    return any(_has_work(workspace, study, budget) for study in workspace.studies)


def closed(workspace: Workspace, budget: Budget) -> list[str]:
    """Return why families get no more trials although their budget of trials is not used up."""
    found = []
    for study in workspace.studies:
        if _used_up(workspace, study, budget):
            found.append(f"{study.family}: its hours are used up; raise search.device_hours, or the family's own")
        elif not budget.forgiving and _failing(_searched(workspace, study)):
            found.append(f"{study.family}: its last {FAILURES_ALLOWED} trials failed; --more N tries again")
        elif (size := _grid(workspace, study)) is not None and size < budget.totals[study.family]:
            found.append(f"{study.family}: its grid of {size} is used up; widen it, or take another sampler")
    return found


def _has_work(workspace: Workspace, study: Study, budget: Budget) -> bool:
    if study.space is None:
        return True
    trials = _searched(workspace, study)
    if _used_up(workspace, study, budget) or (not budget.forgiving and _failing(trials)):
        return False
    shares = study.family in budget.own
    total = _most(workspace, study, budget.shared if shares else budget.totals[study.family])
    begins = len(trials) < total and not (shares and _shared_begun(workspace, budget) >= budget.shared)
    return begins or any(trial.state == "queued" for trial in trials) or _promotes(workspace, study)


def _shared_begun(workspace: Workspace, budget: Budget) -> int:
    """Return how many trials there are of the families that share."""
    return workspace.ledger.searched(*(study.id for study in workspace.studies if study.family in budget.own))


def _used_up(workspace: Workspace, study: Study, budget: Budget) -> bool:
    allowed = budget.seconds.get(study.family)
    return allowed is not None and workspace.ledger.spent(study.id) >= allowed


def _searched(workspace: Workspace, study: Study) -> list[Trial]:
    return [trial for trial in workspace.ledger.trials(study.id) if trial.origin == "search"]


def _most(workspace: Workspace, study: Study, total: int) -> int:
    """Return how many of ``total`` trials a family can have: a grid has an end."""
    if study.space is not None and not study.space.searched:
        return 1
    size = _grid(workspace, study)
    return total if size is None else min(total, size)


def _grid(workspace: Workspace, study: Study) -> int | None:
    """Return the size of the family's grid; ``None`` where no grid is searched."""
    config = workspace.experiment.config
    if study.space is None or (config.search.engine, config.search.sampler) != ("optuna", "grid"):
        return None
    (entry,) = [entry for entry in config.family_configs if entry.label == study.family]
    return Grid(with_ranges(study.space, entry.space, study.family)).size


def _promotes(workspace: Workspace, study: Study) -> bool:
    screen = workspace.experiment.config.search.screen
    if screen is None:
        return False
    return bool(promotable(workspace.ledger.screenings(study.id), workspace.metric.direction, screen.promote))


def _failing(trials: list[Trial]) -> bool:
    ended = [trial.state for trial in trials if trial.state in ENDED][-FAILURES_ALLOWED:]
    return ended == ["failed"] * FAILURES_ALLOWED
