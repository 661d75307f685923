"""A family: a factory and the preparation that its inputs need, under one name."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.types import FamilyRef


@dataclass(frozen=True)
class Family:
    """A built-in family.

    Attributes:
        build: ``module:attribute`` of the factory ``build(hp, problem)``.
        preparation: name of the preparation whose output the factory's models take.
        version: raised by hand whenever equal values no longer give equal results; it is the code identity.
        neural: whether its models are Keras models, so that a worker must load a backend.
    """

    build: str
    preparation: str
    version: int
    neural: bool = False

    @property
    def code(self) -> str:
        """The code identity of the family."""
        return f"built-in:{self.build}:{self.version}"

    def ref(self, name: str) -> FamilyRef:
        """Return the family as a worker needs it."""
        return FamilyRef(name=name, factory=self.build, preparation=self.preparation, code=self.code)
