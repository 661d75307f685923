"""The daily loop: try an idea, and learn whether it is better than a baseline or noise."""

from workbench.evaluation.comparison import Comparison
from workbench.evaluation.idea import evaluate
from workbench.evaluation.values import parse_values

__all__ = ["Comparison", "evaluate", "parse_values"]
