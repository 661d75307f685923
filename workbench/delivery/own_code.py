"""Letting an exported model run on the code that it carries, in a process that has imported an installed `workbench`.

A model exported last year must predict today what it predicted then, though a factory has been changed meanwhile.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import workbench.errors
from workbench.errors import WorkbenchError

PACKAGE = "workbench"


def forget_installed() -> None:
    """Make the next ``import workbench`` look at the path again, on which MLflow puts the model's own code first.

    For a process that does nothing else than predict: what was imported so far keeps working beside the model's copy,
    but its classes are other ones. `translated` makes up for the errors.
    """
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the model's copy of this package as ours of the same name."""
    ours = vars(workbench.errors)
    try:
        yield
    except Exception as error:
        theirs = type(error)
        if isinstance(error, WorkbenchError) or theirs.__module__ != workbench.errors.__name__:
            raise
        kind = ours.get(theirs.__name__, WorkbenchError)
        raise kind(str(error)) from error
