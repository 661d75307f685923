"""Many processes that touch a ledger at once: ``python many_writers.py URL PROCESSES TRIALS``.

The imports are done once, then it forks: what is tried is the database, not Python's start. Each process opens the
ledger itself, all at the same moment, and works until the budget is used up; each line of the output is the numbers of
the trials of one process.
"""

from __future__ import annotations

import os
import sys

from workbench.store.events import TrialFinished, TrialStarted
from workbench.store.ledger import Ledger
from workbench.types import Reported, TrialResult


def work(url: str, trials: int) -> list[int]:
    """Search until nothing is left to claim, as a driver does; return the numbers of this process's trials."""
    ledger = Ledger.open(url)
    study, sweep = ledger.open_study("k", "e", "mlp"), ledger.open_sweep("e")
    numbers = []
    while (claim := ledger.claim(study, sweep, trials)) is not None:
        numbers.append(claim.number)
        names = {"sweep": sweep, "study": study.id, "trial": claim.trial, "attempt": claim.attempt}
        names |= {"family": "mlp", "number": claim.number}
        ledger.begin(claim, {"lr": 0.1}, TrialStarted(**names, values={"lr": 0.1}, code=""))
        ledger.write_reports([(claim.attempt, Reported(job_id="1", split=0, epoch=e, value=0.5)) for e in (1, 2)])
        result = TrialResult(score=0.5, score_se=0.1, scores=(0.5,), values={})
        ledger.finish(claim, TrialFinished(**names, state="complete", result=result))
    ledger.close()
    return numbers


def main(url: str, processes: int, trials: int) -> int:
    """Fork, let all begin at once, and return how many processes failed."""
    ready, begin = os.pipe(), os.pipe()
    children = []
    for _ in range(processes):
        if child := os.fork():
            children.append(child)
            continue
        os.close(begin[1])
        os.write(ready[1], b".")
        os.read(begin[0], 1)  # its end is the signal, for all
        line = " ".join(map(str, work(url, trials))) + "\n"
        os.write(1, line.encode())
        os._exit(0)
    for _ in children:
        os.read(ready[0], 1)
    os.close(begin[1])
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
