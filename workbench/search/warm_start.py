"""What a search tries first: what the user enqueues, and the best of what there is already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from workbench.config.models import WarmStartConfig
from workbench.errors import nearest
from workbench.search.spaces import checked_values, fitted
from workbench.store.ledger import ENDED, Ledger, Study, Trial
from workbench.types import Direction, Scalar, Space, Values, as_loss
from workbench.wording import counted

INHERITED = 3
"""So many of the best of a study's forerunner are tried first."""


@dataclass(frozen=True)
class Change:
    """A study is new because something that it stands on has changed since its forerunner."""

    family: str
    parts: tuple[str, ...]
    """What has changed, such as ``code`` or ``training data``."""
    forerunner: Study
    trials: int
    """Those of the forerunner that have ended."""

    @property
    def informs(self) -> bool:
        """Whether the forerunner's best may be tried first: not if it has seen rows that are set aside now."""
        return "holdout" not in self.parts

    def __str__(self) -> str:
        """Return the one line that says so."""
        what = ", ".join(self.parts) or "its format"
        has = "has" if len(self.parts) < 2 else "have"
        return f"{self.family}: {what} {has} changed since its last {counted(self.trials, 'trial')}; a new study begins"


def find_change(ledger: Ledger, experiment: str, study: Study) -> Change | None:
    """Return what has changed since a family's last study, if ``study`` has no trials yet and there is another one."""
    if ledger.counts(study.id):
        return None
    for other in ledger.studies(experiment, study.family):
        seed = study.ground.get("seed")
        counts = {} if other.id == study.id else ledger.counts(other.id)
        if counts.get("complete") and other.ground.get("seed", seed) == seed:
            parts = tuple(name for name, value in study.ground.items() if other.ground.get(name) != value)
            return Change(study.family, parts, other, sum(counts.get(state, 0) for state in ENDED))
    return None


def first_values(
    ledger: Ledger,
    study: Study,
    space: Space,
    direction: Direction,
    *,
    enqueue: Sequence[Mapping[str, Scalar]],
    warm_start: Iterable[WarmStartConfig],
    experiment: str,
    change: Change | None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Values]:
    """Return the configurations that a study tries before its engine is asked, in their order.

    ``say`` is told of warm starts for which there is nothing.

    Raises:
        ConfigError: a value that the user enqueued does not fit.
    """
    found = [checked_values(space, values, study.family) for values in enqueue]
    for entry in warm_start:
        trials = _known(ledger, study, direction, entry, entry.experiment or experiment)
        if not trials and (entry.experiment or entry.sweep):
            say(_nothing(ledger, study.family, entry))
        found += [fitted(space, trial.values) for trial in trials]
    if change is not None and change.informs:
        trials = ledger.trials(change.forerunner.id)
        found += [fitted(space, trial.values) for trial in best(trials, direction, INHERITED)]
    return [values for place, values in enumerate(found) if values not in found[:place]]


def _known(ledger: Ledger, study: Study, direction: Direction, entry: WarmStartConfig, experiment: str) -> list[Trial]:
    """Return the best trials of the family's newest study, then of those before: scores of two do not compare.

    Studies of the same experiment that have seen rows which are set aside now are left out.
    """
    chosen: list[Trial] = []
    held = study.ground.get("holdout")
    for other in ledger.studies(experiment, study.family):
        if other.id == study.id and not entry.sweep:
            continue
        if entry.experiment is None and held is not None and other.ground.get("holdout") != held:
            continue
        among = [trial for trial in ledger.trials(other.id) if entry.sweep in (None, trial.sweep)]
        theirs: Direction = other.ground.get("metric", {}).get("direction", direction)
        known = [trial.values for trial in chosen]
        chosen += [trial for trial in best(among, theirs, entry.best) if trial.values not in known]
    return chosen[: entry.best]


def _nothing(ledger: Ledger, family: str, entry: WarmStartConfig) -> str:
    name, known = entry.experiment, ledger.experiments()
    if name is not None and name not in known:
        listed = ", ".join(known) or "none yet"
        return f"search.warm_start: the ledger has no experiment '{name}'; it has {listed}.{nearest(name, known)}"
    where = " ".join([*([f"of '{name}'"] if name else []), *([f"in sweep {entry.sweep}"] if entry.sweep else [])])
    return f"search.warm_start: {family} has no complete trial {where}"


def best(trials: Iterable[Trial], direction: Direction, count: int) -> list[Trial]:
    """Return the best complete trials, the best first; equal configurations count once."""
    complete = [(as_loss(direction, t.result.score), t) for t in trials if t.result is not None]
    chosen: list[Trial] = []
    for _, trial in sorted(complete, key=lambda pair: (pair[0], pair[1].number)):
        if len(chosen) < count and all(trial.values != other.values for other in chosen):
            chosen.append(trial)
    return chosen
