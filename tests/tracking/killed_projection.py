"""A projector that is killed between two writes to MLflow: ``python killed_projection.py LEDGER_URL STORE WRITES…``.

MLflow is imported once; then it forks, one after the other, a projector that dies before each of the given numbers of
its own writes, and one that comes to the end. Its output is their exit codes.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from tests.tracking import story
from workbench.store.events import SweepFinished
from workbench.store.ledger import Claim, Ledger
from workbench.types import Failure

KILLED = 9


def search(ledger: Ledger) -> list[Claim]:
    """Leave a sweep with a trial in each state: complete, pruned, failed, complete, and queued."""
    study, sweep = ledger.open_study("key", "loans", "lightgbm"), ledger.open_sweep("loans")
    ledger.append(story.sweep_started(sweep))
    claims = []
    outcomes = {0: ("complete", 0.80), 1: ("pruned", None), 2: ("failed", None), 3: ("complete", 0.81), 4: None}
    for outcome in outcomes.values():
        claim = ledger.claim(study, sweep, len(outcomes))
        assert claim is not None
        claims.append(claim)
        ledger.begin(claim, {"lr": 0.1}, story.trial_started(claim.trial, claim.attempt, sweep=sweep))
        if outcome is None:
            ledger.lose(claim, None)
            continue
        state, score = outcome
        failure = Failure(code="factory", message="boom", traceback="Traceback …") if state == "failed" else None
        ledger.write_reports(story.reports(claim.attempt, epochs=25))
        ended = story.trial_finished(claim.trial, claim.attempt, score, sweep=sweep, state=state, failure=failure)
        ledger.finish(claim, ended)
    ledger.append(story.blend(story.member(1, 0.3), story.member(4, 0.7), sweep=sweep))
    ledger.close_sweep(SweepFinished(sweep=sweep, state="complete"))
    return claims


def main(url: str, store: Path, kills: list[int]) -> None:
    """Kill projectors, and let one show everything."""
    from mlflow import MlflowClient

    from workbench.tracking.mlflow_projection import MlflowProjection
    from workbench.tracking.projector import replay
    from workbench.tracking.uri import default_uri

    def die_before(write: int) -> None:
        left = itertools.count(write, -1)

        def dying(name: str) -> None:
            real = getattr(MlflowClient, name)

            def called(*given: object, **named: object) -> object:
                if next(left) == 0:
                    os._exit(KILLED)
                return real(*given, **named)

            setattr(MlflowClient, name, called)

        for name in ("create_run", "log_batch", "set_terminated", "update_run", "log_text"):
            dying(name)
        ledger = Ledger.open(url)
        replay(ledger, [MlflowProjection(ledger, default_uri(store), store)])
        os._exit(0)

    for writes in (*kills, 10**9):
        if not (child := os.fork()):
            die_before(writes)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), end=" ", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [int(each) for each in sys.argv[3:]])
