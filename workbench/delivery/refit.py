"""What became of a blend's members that were to be fitted once more on all rows."""

from __future__ import annotations

from pydantic import Field

from workbench.blending.result import BlendResult
from workbench.types import Value

REFITTED = "refitted on all rows"
"""The mark of a blend whose scores are those of other models than are delivered."""


class Refit(Value):
    """A member's models on all rows, one a seed. They have no out-of-fold score: no row is left to score them on."""

    trial: str
    """The member's name, such as ``lightgbm#0017``."""
    fit_key: str = ""
    """Of the models on all rows, in the vault; empty where there are none."""
    seeds: int = 0
    epochs: int | None = None
    """Epochs or rounds of each; ``None`` for a model that has none."""
    failure: str = ""
    """Why there are none; the models of its folds are delivered."""


class Refits(Value):
    """The refits of a blend's members, heaviest first."""

    of: dict[str, Refit] = Field(default_factory=dict)
    """By the fit key of the member's trial."""

    @property
    def done(self) -> tuple[Refit, ...]:
        """Those that there are."""
        return tuple(refit for refit in self.of.values() if refit.fit_key)

    @property
    def failed(self) -> tuple[Refit, ...]:
        """Those whose folds' models are delivered instead."""
        return tuple(refit for refit in self.of.values() if not refit.fit_key)

    @property
    def seeds(self) -> dict[str, int]:
        """How many models each refit has, by its fit key."""
        return {refit.fit_key: refit.seeds for refit in self.done}

    def applied(self, blended: BlendResult) -> BlendResult:
        """Return a blend whose members are found in the vault as they were refitted; weights and scores stay."""
        found = {key: refit.fit_key for key, refit in self.of.items() if refit.fit_key}
        moved = (m.model_copy(update={"fit_key": found.get(m.fit_key, m.fit_key)}) for m in blended.members)
        return blended.model_copy(update={"members": tuple(moved)})

    def among(self, blended: BlendResult) -> Refits:
        """Return those of the members of one blend."""
        return Refits(of={m.fit_key: self.of[m.fit_key] for m in blended.members if m.fit_key in self.of})

    @property
    def note(self) -> str:
        """What a reader of the blend's scores has to know; empty where nothing was refitted."""
        if not self.done:
            return ""
        return f"{len(self.done)} of {len(self.of)} members {REFITTED}" if self.failed else REFITTED
