"""The daily loop: try an idea, and learn whether it is better or noise; score what was chosen where nobody chose."""

from workbench.evaluation.comparison import Comparison
from workbench.evaluation.idea import evaluate
from workbench.evaluation.rescored import Rescoring
from workbench.evaluation.rescoring import rescore
from workbench.evaluation.values import parse_values

__all__ = ["Comparison", "Rescoring", "evaluate", "parse_values", "rescore"]
