"""Complete trials from one member of a team to another: ``workbench pack`` and ``workbench merge``."""

from workbench.exchange.merging import merge
from workbench.exchange.packing import pack

__all__ = ["merge", "pack"]
