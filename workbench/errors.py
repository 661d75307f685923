"""The one family of errors that this package raises on purpose, and the exit codes that scripts can rely on.

| code | meaning                                                              |
| ---- | -------------------------------------------------------------------- |
| 0    | done                                                                 |
| 1    | an error of ours; the traceback is shown, please report it           |
| 2    | the user's mistake: configuration, data, a factory, an argument      |
| 3    | the sweep ended, but nothing could be delivered (no complete trial)  |
| 4    | the store or the tracking server could not be read or written        |
| 5    | another run is at work on the same experiment                        |
| 130  | stopped by Ctrl-C; run again to go on                                |
| 143  | stopped by SIGTERM; run again to go on                               |
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator


class WorkbenchError(Exception):
    """Root of every error that is raised on purpose. The message says what is wrong and what to do."""

    exit_code = 1


class UserError(WorkbenchError):
    """The user's mistake: shown as a message, never as our traceback."""

    exit_code = 2


class ConfigError(UserError):
    """Something in ``experiment.yaml`` or an argument is not valid."""


class DataError(UserError):
    """A table cannot be used as it is."""


class FactoryError(UserError):
    """A model factory, metric or feature function raised, or returned something that cannot be used."""


class NothingToDeliver(WorkbenchError):
    """The sweep has no complete trial to blend or submit."""

    exit_code = 3


class StoreError(WorkbenchError):
    """The ledger, the vault or the tracking server cannot be read or written."""

    exit_code = 4


class Busy(WorkbenchError):
    """Another run is at work on the same experiment."""

    exit_code = 5


class LeaseLost(StoreError):
    """An attempt's lease went to somebody else; what it wrote was refused."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: the same as Ctrl-C, but for its exit code."""


class TrialFailed(WorkbenchError):
    """A trial cannot be completed; ``code`` is one of `workbench.types.FailureCode`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TrialStopped(WorkbenchError):
    """A trial ended because its report was answered with 'stop'."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, those that it was raised from, or while they were handled, and what SQLAlchemy's wrap."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        linked = (each.__cause__, None if each.__suppress_context__ else each.__context__, getattr(each, "orig", None))
        waiting += [other for other in linked if isinstance(other, BaseException)]


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest valid name, or an empty string."""
    folded = {each.casefold(): each for each in reversed(list(valid))}
    matches = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f" Did you mean '{folded[matches[0]]}'?" if matches else ""
