"""``python -m tests.faults.sweeping FOLDER OPTIONS``: a driver with real workers on the stub runner, to be maltreated.

``OPTIONS`` is JSON: ``trials``, ``workers``, ``lanes`` (fixed values by the lane's name) and what `Lane` and `Driver`
take. Exit codes are those of ``workbench run``; what happens is printed line by line.
"""

import json
import sys
from pathlib import Path

from tests.search.bench import Bench
from workbench import signals
from workbench.errors import Terminated
from workbench.execution.local import LocalExecutor
from workbench.search.progress import Silent
from workbench.store.events import SweepFinished, SweepStarted
from workbench.tracking.projector import start_projector


class Printing(Silent):
    """Prints each line at once."""

    def notice(self, text):
        print(f"notice: {text}", flush=True)

    def trial(self, news):
        reason = news.failure.message if news.failure else news.message
        print(f"{news.name} {news.state} {reason}", flush=True)


@signals.listening(terminate=True)
def main(folder, options):
    """Search until the budget is used up; return the exit code."""
    bench = Bench(folder)
    bench.ledger.reap()
    bench.ledger.append(started(bench.sweep))
    uri = options.pop("uri", None)
    projector = start_projector(bench.ledger, folder, uri, tensorboard=False) if uri else None
    names = options.pop("lanes", {"stub": {}})
    driving = {key: options.pop(key) for key in ("workers", "store", "halve_on_oom", "memory") if key in options}
    if "store" in driving:
        driving["store"] = Path(driving["store"])
    lanes = [
        bench.lane(name, total=options["trials"], fixed=fixed, **options.get("lane", {}))
        for name, fixed in names.items()
    ]
    state, code = "complete", 0
    try:
        bench.search(*lanes, executor=LocalExecutor, observer=Printing(), **driving)
    except Terminated:
        state, code = "interrupted", 143
    except KeyboardInterrupt:
        state, code = "interrupted", 130
    bench.ledger.close_sweep(SweepFinished(sweep=bench.sweep, state=state))
    if projector is not None:
        projector.close(30.0)
    bench.ledger.close()
    return code


def started(sweep):
    """Return the event that a sweep of the stub begins with."""
    return SweepStarted(
        sweep=sweep,
        experiment="e",
        title=f"{sweep:04d} e",
        metric="rmse",
        direction="minimize",
        monitor="rmse",
        seed=0,
        config={},
        data_key="d",
        plan_key="p",
        splits=3,
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
